"""All actions by product, version and name. Constants and one look-up."""

from simulator.cloud import situations
from simulator.cloud.actions import (
    account_queries,
    cvm_queries,
    eip_attributes,
    eip_binding,
    eip_orders,
    eip_packages,
    eip_queries,
    eni_addresses,
    eni_attachment,
    eni_creation,
    eni_queries,
    nat_queries,
    reservations,
    routes,
    security_groups,
    task_queries,
    vpc_queries,
)
from simulator.cloud.actions.action import Action

ALL = (
    *eip_orders.ACTIONS,
    *eip_binding.ACTIONS,
    *eip_attributes.ACTIONS,
    *eip_packages.ACTIONS,
    *eip_queries.ACTIONS,
    *account_queries.ACTIONS,
    *task_queries.ACTIONS,
    *eni_creation.ACTIONS,
    *eni_attachment.ACTIONS,
    *eni_addresses.ACTIONS,
    *eni_queries.ACTIONS,
    *reservations.ACTIONS,
    *security_groups.ACTIONS,
    *vpc_queries.ACTIONS,
    *routes.ACTIONS,
    *nat_queries.ACTIONS,
    *cvm_queries.ACTIONS,
)

_BY_NAME = {(action.product, action.version, action.name): action for action in ALL}
_VERSIONS = {(action.product, action.version) for action in ALL}
_PRODUCTS = {action.product for action in ALL}


def find(product: str, version: str, name: str) -> Action:
    """Give an action; raise ApiError (NoSuchProduct, NoSuchVersion, InvalidAction)."""
    if product not in _PRODUCTS:
        raise situations.PRODUCT_UNKNOWN.error(product=product)
    if (product, version) not in _VERSIONS:
        raise situations.VERSION_UNKNOWN.error(product=product, version=version)
    action = _BY_NAME.get((product, version, name))
    if action is None:
        raise situations.ACTION_UNKNOWN.error(action=name, product=product)
    return action
