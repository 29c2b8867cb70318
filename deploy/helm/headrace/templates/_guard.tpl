{{/* What would lose or double events is refused here, with what to do. */}}
{{- define "headrace.guard" -}}
{{- $values := .Values -}}
{{- $configuration := $values.configuration -}}
{{- $replicas := include "headrace.replicas" . | int -}}
{{- $runtime := get $configuration.inline "runtime" | default dict -}}
{{- $sqlite := not (hasPrefix "dynamodb:" (get $runtime "checkpoints" | default "sqlite:.headrace/checkpoints.db" | toString)) -}}
{{- $shared := include "headrace.shared" . | fromJson -}}
{{- $given := 0 -}}
{{- range list $configuration.inline $configuration.existingConfigMap $configuration.existingSecret -}}
{{- if . -}}{{- $given = add1 $given -}}{{- end -}}
{{- end -}}
{{- if ne (int $given) 1 -}}
{{- fail (printf "\n\nfound %d configurations, expected one: give configuration.inline, configuration.existingConfigMap or configuration.existingSecret\n" (int $given)) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- fail (printf "\n\nautoscaling: found minReplicas %d above maxReplicas %d\n" (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (eq $values.autoscaling.trigger "prometheus") (not $values.autoscaling.prometheus.serverAddress) -}}
{{- fail "\n\nautoscaling.trigger is prometheus: give autoscaling.prometheus.serverAddress, such as http://prometheus.monitoring:9090\n" -}}
{{- end -}}
{{- if and (gt $replicas 1) $values.persistence.enabled -}}
{{- fail (printf "\n\nfound persistence.enabled with %d replicas: one process owns the files on a volume, and a second one would not start. Either run one replica, or set persistence.enabled: false and keep checkpoints in DynamoDB (configuration.inline.runtime.checkpoints: \"dynamodb:TABLE\")\n" $replicas) -}}
{{- end -}}
{{- if include "headrace.external" . -}}
{{- if and (gt $replicas 1) (not $configuration.replicasMayShare) -}}
{{- fail (printf "\n\nfound %d replicas of a configuration that the chart cannot look into. With checkpoints in SQLite each replica would process every stream record. Set runtime.checkpoints: dynamodb:TABLE there, and then configuration.replicasMayShare: true here\n" $replicas) -}}
{{- end -}}
{{- else if $sqlite -}}
{{- if and (gt $replicas 1) $shared.streams -}}
{{- fail (printf "\n\nfound %d replicas with the stream mappings %s and checkpoints in SQLite: every replica would process every record of them. Set configuration.inline.runtime.checkpoints: \"dynamodb:TABLE\" (the table is made by itself), or replicaCount: 1 and autoscaling.enabled: false\n" $replicas (join ", " $shared.streams)) -}}
{{- end -}}
{{- if and (gt $replicas 1) $shared.schedules -}}
{{- fail (printf "\n\nfound %d replicas with the schedules %s and checkpoints in SQLite: every replica would run every due time. Set configuration.inline.runtime.checkpoints: \"dynamodb:TABLE\", or replicaCount: 1 and autoscaling.enabled: false\n" $replicas (join ", " $shared.schedules)) -}}
{{- end -}}
{{- if and $shared.streams (not $values.persistence.enabled) -}}
{{- fail (printf "\n\nfound the stream mappings %s with checkpoints in SQLite and no volume: a new pod would begin at starting_position again, and an update would have two pods read at once. Set configuration.inline.runtime.checkpoints: \"dynamodb:TABLE\", or persistence.enabled: true\n" (join ", " $shared.streams)) -}}
{{- end -}}
{{- end -}}
{{- if and (hasKey $runtime "http") (not (kindIs "map" (get $runtime "http"))) -}}
{{- fail "\n\nfound runtime.http that is no mapping: the probes need the HTTP server. Leave it out\n" -}}
{{- end -}}
{{- $least := include "headrace.leastTermination" . | int -}}
{{- if lt (include "headrace.termination" . | int) $least -}}
{{- fail (printf "\n\nfound terminationGracePeriodSeconds %d, expected %d or more: the longest function timeout is %d s, runtime.shutdown_grace %d s, and 15 s are for acknowledging. Kubernetes would kill running invocations, and their events would be done again\n" (include "headrace.termination" . | int) $least (include "headrace.longestTimeout" . | int) (include "headrace.shutdownGrace" . | int)) -}}
{{- end -}}
{{- end -}}
