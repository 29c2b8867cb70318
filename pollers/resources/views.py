"""How functions are called now and who said so, for whoever shows it: status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pollers.resources.precedence import EVENT_INVOKE_CONFIG, FUNCTION_URL
from pollers.resources.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Iterable


def settings_document(services: Iterable[object], name: str) -> dict[str, Any] | None:
    """A function's settings as JSON has them, from the resources among the services of a process; None where there are none."""
    resources = next((service for service in services if isinstance(service, Resources)), None)
    if resources is None:
        return None
    settings = resources.settings_of(name)
    url = settings.url
    return {
        "maximum_retry_attempts": settings.maximum_retry_attempts,
        "maximum_event_age_in_seconds": settings.maximum_event_age_seconds,
        "on_success": settings.on_success,
        "on_failure": settings.on_failure,
        "dead_letters": settings.dead_letters,
        "event_invoke_config_by": resources.given_by(name, EVENT_INVOKE_CONFIG),
        "function_url": None
        if url is None
        else {
            "auth_type": url.config.auth_type,
            "invoke_mode": url.config.invoke_mode,
            "by": resources.given_by(name, FUNCTION_URL),
        },
        "reserved_concurrency": settings.reserved,
    }
