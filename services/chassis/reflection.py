"""Reflection that knows every contract and not just the own: the gateway asks one service about all of them."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_reflection.v1alpha import reflection

CONTRACTS = Path(__file__).parents[2] / "gen" / "tabling.pb"


def reflect(services: Iterable[str], server: grpc.aio.Server) -> None:
    """List these services, and describe whatever has a contract. Nothing is read before somebody asks."""
    reflection.enable_server_reflection((*services, reflection.SERVICE_NAME), server, pool=_Contracts())


class _Contracts:
    """What reflection needs of a descriptor pool: first all contracts, then what else this process has loaded."""

    def FindFileByName(self, name: str) -> Any:  # noqa: N802 - protobuf's names
        return self._find("FindFileByName", name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802
        return self._find("FindFileContainingSymbol", symbol)

    def FindMessageTypeByName(self, name: str) -> Any:  # noqa: N802
        return self._find("FindMessageTypeByName", name)

    def FindExtensionByNumber(self, message: Any, number: int) -> Any:  # noqa: N802
        return self._find("FindExtensionByNumber", message, number)

    def FindAllExtensions(self, message: Any) -> Any:  # noqa: N802
        return self._find("FindAllExtensions", message)

    def _find(self, question: str, *what: Any) -> Any:
        try:
            return getattr(self._contracts, question)(*what)
        except KeyError:
            return getattr(descriptor_pool.Default(), question)(*what)

    @cached_property
    def _contracts(self) -> descriptor_pool.DescriptorPool:
        pool = descriptor_pool.DescriptorPool()
        for file in FileDescriptorSet.FromString(CONTRACTS.read_bytes()).file:
            pool.AddSerializedFile(file.SerializeToString())
        return pool
