"""The file that `endpoints_file` names, as something that watches the cluster would write it."""

import json
import os
import pathlib
import tempfile

from topology import NODES


def _entry(endpoint):
    address = f"{endpoint.address}:{endpoint.port}"
    if endpoint.ready:
        return address
    return {"address": address, "serving": endpoint.serving, "terminating": endpoint.terminating}


def text_of(endpoints) -> str:
    """JSON of cluster.Endpoint's by their nodes. A node without any is not listed: without endpoints of its own its
    traffic would go to a port of the node itself."""
    by_node = {}
    for endpoint in endpoints:
        by_node.setdefault(endpoint.node, []).append(_entry(endpoint))
    nodes = [json.dumps({"name": node, "address": NODES[node], "endpoints": those}) for node, those in by_node.items()]
    return '{ "nodes": [\n  ' + ",\n  ".join(nodes) + "\n] }\n"


class EndpointsFile:
    """Replaced as a whole, by rename. A context manager."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="telltale-lab-")
        self._folder = pathlib.Path(self._directory.name)
        self.path = str(self._folder / "endpoints.json")

    def replace(self, *endpoints) -> str:
        """What it says now."""
        text, new = text_of(endpoints), self._folder / "new"
        new.write_text(text, encoding="ascii")
        os.rename(new, self.path)
        return text

    def text(self) -> str:
        return pathlib.Path(self.path).read_text(encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._directory.cleanup()
