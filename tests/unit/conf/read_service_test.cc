#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

TEST(Loader, ReportsServices) {
  const Case cases[] = {
      {"no name",
       "listeners: [{listen: ':80', routes: [{respond: {}}]}]\nservices: [{endpoints: [10.0.0.1:80]}]\n",
       {"2:12: error: services[0]: the field \"name\" is missing"}},
      {"nothing that serves",
       with_service("retries: 1"),
       {"3:3: error: services[0]: this service has nothing that serves"}},
      {"the same name",
       with_service("endpoints: [10.0.0.1:80]}\n- {name: web, endpoints: [10.0.0.2:80]"),
       {"4:10: error: services[1].name: there is another service \"web\""}},
      {"the address of a node",
       with_service("port: 80, nodes: [{address: 10.0.0.1}, {address: 10.0.0.300}]"),
       {"3:64: error: services[0].nodes[1].address: \"10.0.0.300\" is not an IP address or host name"}},
      {"a service that only discovers", with_service("endpoints_file: /etc/shop.json"), {}},
      {"from a file that nobody finds",
       with_service("endpoints_file: shop.json"),
       {"3:31: error: services[0].endpoints_file: \"shop.json\" is not an absolute path"}},
      {"a misspelt field",
       with_service("port: 80, nodes: [{adress: 10.0.0.1}]"),
       {"3:34: error: services[0].nodes[0].adress: unknown field \"adress\""}},
      {"nodes without a port",
       with_service("nodes: [{address: 10.0.0.1}, {address: 10.0.0.2, port: 80}, "
                    "{address: 10.0.0.3, endpoints: [10.0.0.4:80]}]"),
       {"3:23: error: services[0].nodes[0]: there is no port to send its traffic to"}},
      {"two nodes of one name",
       with_service("port: 80, nodes: [{name: a, address: 10.0.0.1}, {name: a, address: 10.0.0.2}]"),
       {"3:63: error: services[0].nodes[1]: there is another node \"a\" in this service"}},
      {"no weight at all",
       with_service("endpoints: [{address: 10.0.0.1:80, weight: 0}]"),
       {"3:3: error: services[0]: every weight in this service is 0: nothing serves"}},
      {"a health port without a probe",
       with_service("port: 80, nodes: [{address: 10.0.0.1, health_port: 81}]"),
       {"3:33: warning: services[0].nodes[0]: `health_port` has no effect: the service has no `health`"}},
      {"PROXY at a health port",
       with_service("port: 80, nodes: [{address: 10.0.0.1}], health: {port: 10256, send_proxy: true}"),
       {"3:63: warning: services[0].health: `send_proxy` to a port that is not the serving port: kube-proxy's health "
        "port does not speak it"}},
      {"a probe of nodes",
       with_service("port: 80, nodes: [{address: 10.0.0.1}], endpoints: [10.0.0.2:80], health: {tcp: true}, "
                    "node_health: {port: 10256, weight: probe}"),
       {}},
      {"a probe of nodes at ports of their own, and of nothing else",
       with_service("port: 80, nodes: [{address: 10.0.0.1, health_port: 81}], node_health: {tcp: true}"),
       {}},
      {"a probe of nodes without a port",
       with_service("port: 80, nodes: [{address: 10.0.0.1}, {address: 10.0.0.2, health_port: 81}], health: {port: 82}, "
                    "node_health: "),
       {"3:33: error: services[0].nodes[0]: there is no port for `node_health` to probe it at"}},
      {"a probe of nodes, and none there",
       with_service("endpoints: [10.0.0.1:80], node_health: {port: 10256}"),
       {"3:54: warning: services[0].node_health: has no effect: the service has no `nodes`"}},
      {"a file may bring them", with_service("endpoints_file: /f, node_health: {port: 10256}"), {}},
      {"what is wrong in it",
       with_service(
           "port: 80, nodes: [{address: 10.0.0.1}], node_health: {port: 0, http: x, tcp: true, weigth: probe}"),
       {"3:75: error: services[0].node_health.port: \"0\" is out of range",
        "3:84: error: services[0].node_health.http: \"x\" is not a path",
        "3:92: error: services[0].node_health.tcp: only one of http, https, tcp, grpc and track can be given, not http "
        "and tcp",
        "3:98: error: services[0].node_health.weigth: unknown field \"weigth\""}},
      {"PROXY at a node's health port",
       with_service("port: 80, nodes: [{address: 10.0.0.1}], node_health: {port: 10256, send_proxy: true}"),
       {"3:68: warning: services[0].node_health: `send_proxy` to a port that is not the serving port: kube-proxy's "
        "health port does not speak it"}},
      {"PROXY at the serving port, another one for the node",
       with_service("port: 80, nodes: [{address: 10.0.0.1, health_port: 81}], health: {send_proxy: true}, "
                    "node_health: "),
       {}},
      {"PROXY for requests and not for probes beside those of the node",
       with_service("port: 80, nodes: [{address: 10.0.0.1, health_port: 81}], health: {}, node_health: , "
                    "propagate: {proxy_protocol: v2}"),
       {"3:80: warning: services[0].health: the backends are sent a PROXY header and the probes of the same port are "
        "not: one that requires it refuses them"}},
      {"a weight that is not the node's",
       with_service("port: 80, nodes: [{address: 10.0.0.1}], health: {weight: probe}, node_health: {port: 81}"),
       {"3:63: warning: services[0].health: `weight: probe` has no effect beside `node_health`: a weight is a node's"}},
      {"PROXY at the serving port", with_service("endpoints: [10.0.0.1:80], health: {port: 80, send_proxy: v1}"), {}},
      {"PROXY for requests and not for probes",
       with_service("endpoints: [10.0.0.1:80], health: {}, propagate: {proxy_protocol: v2}"),
       {"3:49: warning: services[0].health: the backends are sent a PROXY header and the probes of the same port are "
        "not: one that requires it refuses them"}},
      {"decided",
       with_service("endpoints: [10.0.0.1:80], health: {send_proxy: false}, propagate: {proxy_protocol: v2}"),
       {}},
      {"TLVs without v2",
       with_service("endpoints: [10.0.0.1:80], propagate: {tlvs: [authority], proxy_protocol: v1}"),
       {"3:59: error: services[0].propagate.tlvs: only a PROXY header of version 2 has TLVs"}},
      {"TLVs",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [alpn, sll, alpn, noop]}"),
       {"3:86: error: services[0].propagate.tlvs[1]: \"sll\" is not one of authority, alpn, unique_id, crc32c, ssl, "
        "netns",
        "3:91: error: services[0].propagate.tlvs[2]: \"alpn\" is given twice",
        "3:97: error: services[0].propagate.tlvs[3]: \"noop\" is not one of authority, alpn, unique_id, crc32c, ssl, "
        "netns"}},
      {"TLVs that go on",
       "listeners: [{listen: ':80', service: web, client_ip: {proxy_protocol: [{from: [192.0.2.1], policy: "
       "accept}]}}]\n"
       "services: [{name: web, endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [ssl, netns, crc32c], "
       "pass_tlvs: [authority, unique_id, alpn, aws_vpce_id, azure_link_id, gcp_psc_connection_id, 0xE3, 0x31]}}]",
       {}},
      {"TLVs that would go on, but cannot come",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [alpn], pass_tlvs: [0xE3]}"),
       {"3:98: warning: services[0].propagate.pass_tlvs: no received TLV can go on: no listener that leads here lets "
        "anybody send a PROXY header"}},
      {"likewise of TLS",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [crc32c, ssl]}"),
       {"3:79: warning: services[0].propagate.tlvs: no received TLV can go on: no listener that leads here lets "
        "anybody "
        "send a PROXY header"}},
      {"TLVs that cannot go on",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [alpn, ssl], pass_tlvs: [\n"
                    "aws, ssl,\nssl_cn, crc32c, 0x04,\n0x01, 0x20,\n0xe3, 0xE3]}"),
       {"3:103: warning: services[0].propagate.pass_tlvs: no received TLV can go on: no listener that leads here lets "
        "anybody send a PROXY header",
        "4:1: error: services[0].propagate.pass_tlvs[0]: \"aws\" is not the name of a TLV",
        "4:6: error: services[0].propagate.pass_tlvs[1]: \"ssl\" is not the name of a TLV",
        "5:1: error: services[0].propagate.pass_tlvs[2]: \"ssl_cn\" is a part of the SSL TLV, which goes on as a whole",
        "5:9: error: services[0].propagate.pass_tlvs[3]: \"crc32c\" is of the header that it came in, and never goes "
        "on",
        "5:17: error: services[0].propagate.pass_tlvs[4]: \"0x04\" is of the header that it came in, and never goes on",
        "6:1: error: services[0].propagate.pass_tlvs[5]: \"0x01\" is written by `tlvs` already",
        "6:7: error: services[0].propagate.pass_tlvs[6]: \"0x20\" is written by `tlvs` already",
        "7:7: error: services[0].propagate.pass_tlvs[8]: \"0xE3\" is given twice"}},
      {"TLVs that cannot go on beside our own",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, custom_tlvs: {0xEA: x}, pass_tlvs: [\n"
                    "aws_vpce_id, 0xea, 0xeb]}"),
       {"3:108: warning: services[0].propagate.pass_tlvs: no received TLV can go on: no listener that leads here lets "
        "anybody send a PROXY header",
        "4:1: error: services[0].propagate.pass_tlvs[0]: \"aws_vpce_id\" is written by `custom_tlvs` already",
        "4:14: error: services[0].propagate.pass_tlvs[1]: \"0xea\" is written by `custom_tlvs` already"}},
      {"TLVs that go on, and padding, without v2",
       with_service("endpoints: [10.0.0.1:80], propagate: {\npass_tlvs: [alpn],\ntlv_padding: 8}"),
       {"4:12: error: services[0].propagate.pass_tlvs: only a PROXY header of version 2 has TLVs",
        "5:14: error: services[0].propagate.tlv_padding: only a PROXY header of version 2 has TLVs"}},
      {"padding",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlv_padding: 4096}"),
       {"3:86: error: services[0].propagate.tlv_padding: \"4096\" is out of range"}},
      {"pass",
       with_service("endpoints: [10.0.0.1:80], propagate: {x_forwarded_for: pass, forwarded: pass}"),
       {"3:70: warning: services[0].propagate.x_forwarded_for: `pass` lets through whatever a client wrote, forged or "
        "not",
        "3:87: warning: services[0].propagate.forwarded: `pass` lets through whatever a client wrote, forged or not"}},
      {"forwarded",
       with_service("endpoints: [10.0.0.1:80], propagate: {forwarded: {parameters: []}}"),
       {"3:64: error: services[0].propagate.forwarded: the field \"mode\" is missing",
        "3:77: error: services[0].propagate.forwarded.parameters: an element must say something"}},
      {"booleans",
       with_service("endpoints: [10.0.0.1:80], propagate: {via: yes, x_real_ip: maybe}"),
       {"3:58: error: services[0].propagate.via: \"yes\" is not true or false",
        "3:74: error: services[0].propagate.x_real_ip: \"maybe\" is not true or false"}},
      {"what only the whole file can have",
       with_service("endpoints: [10.0.0.1:80], node_name: x"),
       {"3:41: error: services[0].node_name: unknown field \"node_name\""}},
      {"a later version's",
       with_service("endpoints: [10.0.0.1:80], filters: []"),
       {"3:41: error: services[0].filters: \"filters\" is not supported in this version"}},
      {"policies",
       with_service("endpoints: [10.0.0.1:80], external_traffic_policy: Local, internal_traffic_policy: none, "
                    "traffic_distribution: PreferClose"),
       {"3:66: error: services[0].external_traffic_policy: \"Local\" is not one of cluster, local",
        "3:98: error: services[0].internal_traffic_policy: \"none\" is not one of cluster, local",
        "3:126: error: services[0].traffic_distribution: \"PreferClose\" is not one of any, prefer_same_zone, "
        "prefer_same_node"}},
      {"health ports",
       "listeners: [{listen: ':80', routes: [{service: a}, {match: {path: /b}, service: b}, {match: {path: /c}, "
       "service: c}, {match: {path: /d}, service: d}]}]\n"
       "services:\n- {name: a, endpoints: [10.0.0.1:80], health_check_node_port: 80}\n"
       "- {name: b, endpoints: [10.0.0.1:80], health_check_node_port: 32122}\n"
       "- {name: c, endpoints: [10.0.0.1:80], health_check_node_port: '0.0.0.0:32122'}\n"
       "- {name: d, endpoints: [10.0.0.1:80], health_check_node_port: '127.0.0.1:9901'}\n",
       {"3:63: error: services[0].health_check_node_port: \"[::]:80\" is already listened on",
        "5:63: error: services[2].health_check_node_port: \"0.0.0.0:32122\" is already listened on",
        "6:63: error: services[3].health_check_node_port: \"127.0.0.1:9901\" is already listened on"}},
      {"health ports that cannot be",
       with_service("endpoints: [10.0.0.1:80], health_check_node_port: unix:/x}\n"
                    "- {name: other, endpoints: [10.0.0.1:80], health_check_node_port: 65536"),
       {"3:65: error: services[0].health_check_node_port: \"unix:/x\" is not an IP address and port",
        "4:10: warning: services[1].name: no route leads to the service \"other\"",
        "4:67: error: services[1].health_check_node_port: \"65536\" has a bad port"}},
      {"slow start",
       with_service("endpoints: [10.0.0.1:80], slow_start: 2h"),
       {"3:53: error: services[0].slow_start: \"2h\" is out of range"}},
  };
  expect(cases);
}

}  // namespace
}  // namespace telltale::conf
