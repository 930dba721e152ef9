"""The empty method: what gRPC alone costs here. Prints its port when it serves; ends on SIGTERM or SIGINT.

python -m scripts.bench.empty [--port 0]
"""

import argparse
import asyncio
import gc
import signal
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import uvloop
from google.protobuf.empty_pb2 import Empty

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Empty, Empty]

SERVICE = "tabling.bench.v1.EmptyService"
METHOD = f"/{SERVICE}/Empty"
OPTIONS = (("grpc.so_reuseport", 0),)
CONCURRENT_CALLS = 900  # Above 1,000 pending ones gRPC drops calls at random.
NOTHING = Empty()


async def answer(request: Empty, context: "Context") -> Empty:
    return NOTHING


async def serve(port: int) -> None:
    server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=CONCURRENT_CALLS)
    method = grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=Empty.FromString, response_serializer=Empty.SerializeToString
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Empty": method})])
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    gc.collect()
    gc.freeze()
    print(bound, flush=True)
    await stop_signal()
    await server.stop(1.0)


async def stop_signal() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="serve the empty method")
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(serve(parser.parse_args().port))
