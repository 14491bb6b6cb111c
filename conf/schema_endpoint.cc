// The rows of who serves: nodes and endpoints, in the configuration and in files that it names.
#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr Field endpoint_fields[] = {
    {.name = "address",
     .type = Type::backend,
     .meaning = "Where it serves. A host name is looked up (A, AAAA): one endpoint for each address that is found."},
    {.name = "srv",
     .type = Type::text,
     .meaning = "A name whose SRV records say where: `_http._tcp.shop.internal`. One endpoint for each of their "
                "addresses, with their ports, priorities and weights."},
    {.name = "name", .type = Type::text, .meaning = "For logs and metrics. Default: the address."},
    {.name = "weight",
     .type = Type::integer,
     .min = 0,
     .max = 65535,
     .fallback = "1",
     .meaning = "Its share of the traffic against the others' weights. 0: none."},
    {.name = "priority",
     .type = Type::integer,
     .min = 0,
     .max = 127,
     .fallback = "0",
     .meaning = "Those of a greater number serve only while none of a smaller one can."},
    {.name = "zone", .type = Type::text, .meaning = "Default: its node's."},
    {.name = "for_zones",
     .type = Type::names,
     .meaning = "Hints: zones whose traffic should come here. Default: its own zone."},
    {.name = "for_nodes",
     .type = Type::names,
     .meaning = "Hints: nodes whose traffic should come here. Default: its own node."},
    {.name = "serving",
     .type = Type::boolean,
     .fallback = "true",
     .meaning = "As in an EndpointSlice: what its readiness probe says, whether it terminates or not."},
    {.name = "terminating",
     .type = Type::boolean,
     .fallback = "false",
     .meaning = "It is going away: it gets new requests only while nothing is ready, and only if it is `serving`."},
};
constexpr Field node_fields[] = {
    {.name = "name", .type = Type::text, .meaning = "For logs, metrics and `node_name`. Default: the address."},
    {.name = "address",
     .type = Type::host,
     .meaning = "The host's IP address, or its name: one node for each address that is found.",
     .required = true},
    {.name = "port",
     .type = Type::integer,
     .min = 1,
     .max = 65535,
     .meaning = "The NodePort. Default: the service's `port`."},
    {.name = "zone", .type = Type::text, .meaning = "Where it stands: for `traffic_distribution`."},
    {.name = "weight",
     .type = Type::integer,
     .min = 0,
     .max = 65535,
     .fallback = "1",
     .meaning = "Its share of the traffic against the others' weights. 0: none."},
    {.name = "health_port",
     .type = Type::integer,
     .min = 1,
     .max = 65535,
     .meaning =
         "The healthCheckNodePort of this node. Default: `node_health.port`, or without `node_health` `health.port`."},
    {.name = "endpoints",
     .type = Type::endpoints,
     .object = &schema::endpoint,
     .meaning = "Traffic goes straight to these instead of the NodePort, if the field is there; the node's health "
                "still counts."},
};
constexpr Field endpoints_file_fields[] = {
    {.name = "nodes", .type = Type::objects, .object = &schema::node, .meaning = "As a service's."},
    {.name = "endpoints", .type = Type::endpoints, .object = &schema::endpoint, .meaning = "As a service's."},
};

}  // namespace

namespace schema {
constinit const Object node = {"services[].nodes[]", "A node", node_fields};
constinit const Object endpoint = {"services[].endpoints[]", "An endpoint", endpoint_fields, "address|srv"};
constinit const Object endpoints_file = {"", "An endpoints file", endpoints_file_fields};
}  // namespace schema

}  // namespace telltale::conf
