{{- define "headrace.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "headrace.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "headrace.labels" -}}
{{ include "headrace.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "headrace.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "headrace.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "headrace.tokenSecret" -}}
{{- default (include "headrace.fullname" .) .Values.token.existingSecret -}}
{{- end -}}

{{/* Whether the configuration is one that the chart cannot look into: "true", or nothing. */}}
{{- define "headrace.external" -}}
{{- if or .Values.configuration.existingConfigMap .Values.configuration.existingSecret -}}true{{- end -}}
{{- end -}}

{{/* How many replicas there are at most. */}}
{{- define "headrace.replicas" -}}
{{- if .Values.autoscaling.enabled -}}
{{- max (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas) -}}
{{- else -}}
{{- int .Values.replicaCount -}}
{{- end -}}
{{- end -}}

{{/* The names of the inline configuration's mappings of streams, and of its schedules, as JSON. */}}
{{- define "headrace.shared" -}}
{{- $streams := list -}}
{{- $mappings := dict -}}
{{- range $name, $mapping := (get .Values.configuration.inline "event_source_mappings" | default dict) -}}
{{- $_ := set $mappings $name ($mapping | default dict) -}}
{{- end -}}
{{- range $index, $mapping := (get .Values.configuration.inline "EventSourceMappings" | default list) -}}
{{- $_ := set $mappings (get $mapping "UUID" | default (printf "EventSourceMappings[%d]" $index)) $mapping -}}
{{- end -}}
{{- range $name, $mapping := $mappings -}}
{{- $arn := get $mapping "event_source_arn" | default (get $mapping "EventSourceArn") | default "" | toString -}}
{{- $starts := or (hasKey $mapping "starting_position") (hasKey $mapping "StartingPosition") -}}
{{- if or $starts (regexMatch ":(kinesis|dynamodb|rds):" $arn) -}}
{{- $streams = append $streams $name -}}
{{- end -}}
{{- end -}}
{{- dict "streams" $streams "schedules" (keys (get .Values.configuration.inline "schedules" | default dict) | sortAlpha) | toJson -}}
{{- end -}}

{{/* The longest timeout of any function, in seconds. One that only the environment knows may be as long as any of Lambda's. */}}
{{- define "headrace.longestTimeout" -}}
{{- if include "headrace.external" . -}}
{{- .Values.configuration.longestTimeoutSeconds | float64 | ceil | int -}}
{{- else -}}
{{- $longest := 3 -}}
{{- range $name, $function := (get .Values.configuration.inline "functions" | default dict) -}}
{{- $timeout := get ($function | default dict) "timeout" | default 3 -}}
{{- if contains "${" (toString $timeout) -}}{{- $timeout = 900 -}}{{- end -}}
{{- $longest = max $longest ($timeout | float64 | ceil | int) -}}
{{- end -}}
{{- $longest -}}
{{- end -}}
{{- end -}}

{{/* runtime.shutdown_grace: as configured, else long enough for the longest function. */}}
{{- define "headrace.shutdownGrace" -}}
{{- if include "headrace.external" . -}}
{{- .Values.configuration.shutdownGraceSeconds | float64 | ceil | int -}}
{{- else -}}
{{- $runtime := get .Values.configuration.inline "runtime" | default dict -}}
{{- if and (hasKey $runtime "shutdown_grace") (not (contains "${" (get $runtime "shutdown_grace" | toString))) -}}
{{- get $runtime "shutdown_grace" | float64 | ceil | int -}}
{{- else -}}
{{- max 30 (include "headrace.longestTimeout" . | int) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What a stop may take: invocations finish, then 10 s for acknowledging and 1 s for workers, and some to spare. */}}
{{- define "headrace.leastTermination" -}}
{{- add (max (include "headrace.longestTimeout" . | int) (include "headrace.shutdownGrace" . | int)) 15 -}}
{{- end -}}

{{- define "headrace.termination" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- include "headrace.leastTermination" . -}}
{{- else -}}
{{- int .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{/* headrace.yaml: what was given, and what the chart knows better. */}}
{{- define "headrace.configuration" -}}
{{- $whole := deepCopy .Values.configuration.inline -}}
{{- $runtime := get $whole "runtime" | default dict -}}
{{- $http := get $runtime "http" | default dict -}}
{{- $http = merge (dict "host" "0.0.0.0" "port" (include "headrace.port" . | int) "token" "${HEADRACE_TOKEN}") $http -}}
{{- $_ := set $runtime "http" $http -}}
{{- if not (hasKey $runtime "shutdown_grace") -}}
{{- $_ := set $runtime "shutdown_grace" (include "headrace.shutdownGrace" . | int) -}}
{{- end -}}
{{- $_ := set $whole "runtime" $runtime -}}
{{- toYaml $whole -}}
{{- end -}}

{{/* The port of health, metrics and the console. */}}
{{- define "headrace.port" -}}
{{- $runtime := get .Values.configuration.inline "runtime" | default dict -}}
{{- get (get $runtime "http" | default dict) "port" | default 8787 | int -}}
{{- end -}}

{{- define "headrace.apiPort" -}}
{{- $api := get .Values.configuration.inline "lambda_api" -}}
{{- if kindIs "map" $api -}}{{- get $api "port" | default 9001 | int -}}{{- end -}}
{{- end -}}
