"""Finding the EIP that a request names, with the EIP actions' own refusals. Pure."""

import re

from simulator.cloud import situations
from simulator.cloud.state.resources import Address
from simulator.cloud.state.world import World

_ADDRESS_ID = re.compile(r"eip-[0-9a-z]{8}")


def is_id(text: str) -> bool:
    """Whether the text has the form of an EIP's id."""
    return _ADDRESS_ID.fullmatch(text) is not None


def check_id(address_id: str) -> None:
    """Raise ApiError unless the id has the form of an EIP's."""
    if not is_id(address_id):
        raise situations.EIP_MALFORMED.error(address_id=address_id)


def existing(world: World, address_id: str) -> Address:
    """Give the EIP of this id; raise ApiError."""
    check_id(address_id)
    address = world.addresses.get(address_id)
    if address is None:
        raise situations.EIP_NOT_FOUND.error(address_id=address_id)
    return address


def check_free(address: Address) -> None:
    """Raise ApiError (MutexTaskRunning) while a task changes the EIP."""
    if address.task_id:
        raise situations.EIP_BUSY.error(address_id=address.address_id)
