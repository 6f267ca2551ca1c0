"""Rules of MutatingWebhookConfigurations: the defaults of a webhook. Nothing calls the webhooks."""

from simulator.kube.kinds.strategy import Strategy
from simulator.kube.objects import Obj


class MutatingWebhookStrategy(Strategy):
    """Configurations of the admission registration group."""

    generation = True

    def default(self, obj: Obj) -> None:
        """Fill in what a webhook leaves out."""
        for webhook in obj.get("webhooks") or ():
            webhook.setdefault("failurePolicy", "Fail")
            webhook.setdefault("matchPolicy", "Equivalent")
            webhook.setdefault("reinvocationPolicy", "Never")
            webhook.setdefault("timeoutSeconds", 10)
            webhook.setdefault("namespaceSelector", {})
            webhook.setdefault("objectSelector", {})
            for rule in webhook.get("rules") or ():
                rule.setdefault("scope", "*")
            service = (webhook.get("clientConfig") or {}).get("service")
            if service is not None:
                service.setdefault("port", 443)

    def _spec_changed(self, obj: Obj, old: Obj) -> bool:
        return bool(obj.get("webhooks") != old.get("webhooks"))
