"""grpc_health_server.py FILE with|without: a gRPC server on a port of the kernel's choosing, which it prints. Its health
service answers what FILE says; `without` it there is none."""

import concurrent.futures
import sys

import grpc

SERVING_STATUS = {"UNKNOWN": 0, "SERVING": 1, "NOT_SERVING": 2, "SERVICE_UNKNOWN": 3}


def service_of(request: bytes) -> str:
    """The string in field 1 of a HealthCheckRequest."""
    if not request:
        return ""
    assert request[0] == 0x0A and request[1] == len(request) - 2, request
    return request[2:].decode()


def check(request: bytes, context) -> bytes:
    print(f"check {context.peer()} {service_of(request)!r}", flush=True)
    with open(sys.argv[1], encoding="ascii") as file:
        status = file.read()
    if status not in SERVING_STATUS:
        context.abort(getattr(grpc.StatusCode, status), "as the test says")
    return bytes([0x08, SERVING_STATUS[status]])


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    if sys.argv[2] == "with":
        method = grpc.unary_unary_rpc_method_handler(check)  # without serializers: octets in, octets out
        handlers = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method})
        server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"port {port}", flush=True)
    server.wait_for_termination()


main()
