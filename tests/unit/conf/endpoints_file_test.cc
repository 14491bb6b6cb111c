#include "conf/endpoints_file.h"

#include "tests/unit/conf/examples.h"
#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>

namespace telltale::conf {
namespace {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "telltale-endpoints-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A service with the node `taken` and no port.
Service service() {
  const LoadResult result = load_text(test::with_service("nodes: [{name: taken, address: 10.0.0.1, port: 80}]"));
  return result.model->services[0];
}

EndpointsFileResult parse(std::string_view text, const Service& conf = service()) {
  return parse_endpoints_file(text, "/f", conf, test::environment);
}

TEST(EndpointsFile, HasWhatAServiceHas) {
  const std::string yaml =
      "nodes:\n- {name: a, address: 10.0.0.2, port: 80, zone: z, endpoints: [10.1.0.1:80]}\n"
      "endpoints:\n- web.internal:80\n- {srv: _http._tcp.web.internal, priority: 3}\n"
      "- {address: \"10.0.0.3:${PORT}\", weight: 7, terminating: true}\n";
  const std::string json =
      R"({"nodes": [{"name": "a", "address": "10.0.0.2", "port": 80, "zone": "z", "endpoints": ["10.1.0.1:80"]}],
          "endpoints": ["web.internal:80", {"srv": "_http._tcp.web.internal", "priority": 3},
                        {"address": "10.0.0.3:9090", "weight": 7, "terminating": true}]})";
  for (const std::string& text : {yaml, json, "\xef\xbb\xbf" + json}) {
    const EndpointsFileResult result = parse(text);
    ASSERT_TRUE(result.file) << result.problems;
    EXPECT_EQ(result.problems, "");
    ASSERT_EQ(result.file->nodes.size(), 1u);
    EXPECT_EQ(result.file->nodes[0].name, "a");
    EXPECT_EQ(result.file->nodes[0].zone, "z");
    EXPECT_EQ(result.file->nodes[0].endpoints[0].address.to_string(), "10.1.0.1:80");
    const auto& endpoints = result.file->endpoints;
    ASSERT_EQ(endpoints.size(), 3u);
    EXPECT_EQ(*endpoints[0].dns, (DnsName{DnsName::Kind::address, "web.internal", 80}));
    EXPECT_EQ(endpoints[1].dns->kind, DnsName::Kind::srv);
    EXPECT_EQ(endpoints[1].priority, 3u);
    EXPECT_EQ(endpoints[2].address.to_string(), "10.0.0.3:9090");
    EXPECT_EQ(endpoints[2].weight, 7u);
    EXPECT_TRUE(endpoints[2].terminating);
  }
}

TEST(EndpointsFile, MaySayThatNobodyServes) {
  for (const char* text : {"endpoints: []\n", "{\"nodes\": []}", "{\"nodes\": [], \"endpoints\": []}\n",
                           "endpoints: [{address: 10.0.0.1:80, weight: 0}]"}) {
    const EndpointsFileResult result = parse(text);
    ASSERT_TRUE(result.file) << text << result.problems;
    EXPECT_TRUE(result.file->nodes.empty()) << text;
  }
}

TEST(EndpointsFile, IsRefusedWholeWithEveryError) {
  struct Case {
    const char* what;
    std::string text;
    std::vector<std::string> problems;
  };
  const Case cases[] = {
      {"nothing", "", {"/f: the file is empty"}},
      {"blanks", "\n\n", {"/f: the file is empty"}},
      {"comments", "# nothing yet\n", {"/f: the file is empty"}},
      {"neither list", "{}", {"/f:1:1: there are neither `nodes` nor `endpoints`"}},
      {"a list that is not there yet", "endpoints:\n", {"/f:1:1: \"endpoints\" has no value"}},
      {"one of two", "nodes: []\nendpoints:\n", {"/f:1:1: \"endpoints\" has no value"}},
      {"a list alone", "- 10.0.0.1:80\n", {"/f:1:1: a map is wanted here, not a list"}},
      {"no list", "endpoints: 10.0.0.1:80\n", {"/f:1:12: endpoints: a list is wanted here, not a single value"}},
      {"a whole service", "{name: a, endpoints: []}", {"/f:1:2: name: unknown field \"name\""}},
      {"cut within a line", "endpoints:\n- 10.0.0.1:80\n- 10.0.0.1", {"/f: the file ends within a line"}},
      {"JSON cut at a line", "{\"endpoints\": [\n\"10.0.0.1:80\",\n", {"/f:3:1: YAML: end of sequence"}},
      {"several",
       "endpoints:\n- 10.0.0.300:80\n- {adress: x}\n- {address: 10.0.0.1:80, weight: x}\n",
       {"/f:2:3: endpoints[0]: \"10.0.0.300:80\" is not an IP address or host name and a port",
        "/f:3:4: endpoints[1].adress: unknown field \"adress\"",
        "/f:4:34: endpoints[2].weight: \"x\" is not a whole number"}},
      {"a node without a port", "nodes: [{address: 10.0.0.2}]", {"/f:1:9: nodes[0]: there is no port"}},
      {"names",
       "nodes: [{name: taken, address: 10.0.0.2, port: 1}, {name: b, address: 10.0.0.3, port: 1}, {name: b, address: "
       "10.0.0.4, port: 1}]",
       {"/f:1:9: nodes[0]: there is another node \"taken\" in the service \"web\"",
        "/f:1:91: nodes[2]: there is another node \"b\" in this service"}},
      {"what a template would do", "endpoints: [\"${NONE}:80\"]", {"/f:1:13: endpoints[0]: the environment variable"}},
  };
  for (const Case& c : cases) {
    const EndpointsFileResult result = parse(c.text);
    EXPECT_FALSE(result.file) << c.what;
    std::vector<std::string> lines;
    std::istringstream stream(result.problems);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    ASSERT_EQ(lines.size(), c.problems.size()) << c.what << "\n" << result.problems;
    for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_TRUE(lines[i].starts_with(c.problems[i])) << lines[i];
  }
}

TEST(EndpointsFile, IsCheckedAgainstItsService) {
  Service conf = service();
  const std::string nodes = "nodes: [{address: 10.0.0.2}]";
  EXPECT_FALSE(parse(nodes, conf).file);
  conf.port = 30080;
  EXPECT_TRUE(parse(nodes, conf).file);
  const std::string sockets = "nodes: [{address: 10.0.0.2, endpoints: ['unix:/a']}]\nendpoints: ['unix:/b']\n";
  EXPECT_TRUE(parse(sockets, conf).file);
  conf.propagate.transparent_source = true;
  const EndpointsFileResult refused = parse(sockets, conf);
  EXPECT_FALSE(refused.file);
  EXPECT_THAT(refused.problems, testing::HasSubstr("/f:1:9: nodes[0]: \"unix:/a\" has no source address"));
  EXPECT_THAT(refused.problems, testing::HasSubstr("/f:2:13: endpoints[0]: \"unix:/b\" has no source address"));
}

TEST(EndpointsFile, CutAtAnyOctetNeverLosesEndpointsSilently) {
  const std::string json = read_source_file("conf/examples/discovery-endpoints.json");
  const std::string whole = json.substr(0, json.find_last_of('}') + 1);
  ASSERT_TRUE(parse(whole).file) << parse(whole).problems;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const EndpointsFileResult result = parse(std::string_view(whole).substr(0, size));
    EXPECT_FALSE(result.file) << size;
    EXPECT_FALSE(result.problems.empty()) << size;
  }
}

TEST(EndpointsFile, IsARegularFile) {
  const Folder folder;
  ASSERT_FALSE(folder.path().empty());
  const Service conf = service();
  const std::string good = folder.write("good.yaml", "endpoints: [10.0.0.1:80]\n");
  EXPECT_TRUE(load_endpoints_file(good, conf).file);
  const std::string missing = folder.path() + "/missing";
  EXPECT_EQ(load_endpoints_file(missing, conf).problems,
            missing + ": cannot be read: No such file or directory (`{ \"endpoints\": [] }` says that nobody serves)");
  const std::string fifo = folder.path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path : {folder.path(), fifo, std::string("/dev/zero")}) {
    const EndpointsFileResult result = load_endpoints_file(path, conf);
    EXPECT_FALSE(result.file) << path;
    EXPECT_THAT(result.problems, testing::HasSubstr("not a regular file")) << path;
  }
  const std::string bad = folder.write("bad.json", "{\"endpoints\": [1]}");
  EXPECT_THAT(load_endpoints_file(bad, conf).problems, testing::StartsWith(bad + ":1:16: endpoints[0]: "));
}

TEST(EndpointsFile, HasABoundedSize) {
  const Folder folder;
  ASSERT_FALSE(folder.path().empty());
  const std::string list = "endpoints: [10.0.0.1:80]\n#";
  const std::string largest = list + std::string(max_endpoints_file_octets - list.size() - 1, 'x') + "\n";
  const std::string problem =
      ": the file is larger than 2MiB (leave out what is the default anyway, indentation too, or make several "
      "services "
      "of this one)";
  EXPECT_TRUE(parse(largest).file);
  EXPECT_TRUE(load_endpoints_file(folder.write("largest", largest), service()).file);
  EXPECT_EQ(parse(largest + "\n").problems, "/f" + problem);
  const std::string larger = folder.write("larger", largest + "\n");
  EXPECT_EQ(load_endpoints_file(larger, service()).problems, larger + problem);
}

TEST(EndpointsFile, IsCheckedWithTheConfiguration) {
  const Folder folder;
  ASSERT_FALSE(folder.path().empty());
  const std::string good = folder.write("good.yaml", "endpoints: [10.0.0.1:80]\n");
  const std::string twice = folder.write("twice.yaml", "endpoints: [10.0.0.1:80, 10.0.0.1:80]\n");
  const std::string bad = folder.write("bad.json", "{\"endpoints\": [\"10.0.0.1\", {}]}");
  std::string text = "listeners: [{listen: ':80', routes: [{respond: {}}]}]\nservices:\n";
  for (const std::string& file : {good, twice, bad, folder.path() + "/missing"}) {
    text.append("- {name: '").append(file).append("', endpoints_file: '").append(file).append("'}\n");
  }
  const LoadResult result = load_text(text);
  ASSERT_TRUE(result.model) << "loading opens none of them" << render(result, "x");
  std::vector<Diagnostic> findings;
  check_endpoints_files(*result.model, findings);
  std::vector<std::string> said;
  for (const Diagnostic& each : findings) {
    said.push_back((each.severity == Severity::error ? "error: " : "warning: ") + each.path + ": " + each.message);
    EXPECT_EQ(each.line, 0u);
  }
  EXPECT_THAT(said, testing::ElementsAre(
                        "warning: services[1].endpoints_file: " + twice +
                            ":1:26: endpoints[1]: \"10.0.0.1:80\" is listed twice in this service",
                        "error: services[2].endpoints_file: " + bad + ":1:16: endpoints[0]: \"10.0.0.1\" has no port",
                        "error: services[2].endpoints_file: " + bad +
                            ":1:28: endpoints[1]: one of address or srv is wanted here",
                        "error: services[3].endpoints_file: " + folder.path() +
                            "/missing: cannot be read: No such file or directory"));
  EXPECT_FALSE(findings.back().hint.empty());
}

TEST(Examples, HaveTheEndpointsFileThatTheyName) {
  const std::string file = std::string(TELLTALE_SOURCE_DIR) + "/conf/examples/discovery-endpoints.json";
  const LoadResult result = load_text(read_source_file("conf/examples/discovery.yaml"), [&](std::string_view name) {
    return name == "ENDPOINTS_FILE" ? std::optional(file) : std::nullopt;
  });
  ASSERT_TRUE(result.model) << render(result, "discovery.yaml");
  std::vector<Diagnostic> findings;
  check_endpoints_files(*result.model, findings);
  EXPECT_TRUE(findings.empty()) << findings[0].message;
  const EndpointsFileResult loaded = load_endpoints_file(file, result.model->services[2]);
  ASSERT_TRUE(loaded.file) << loaded.problems;
  EXPECT_EQ(loaded.file->nodes.size() + loaded.file->endpoints.size(), 4u);
  // full.yaml says that a copy of it will do.
  const LoadResult full = load_example("full.yaml");
  ASSERT_TRUE(full.model);
  const EndpointsFileResult copy = load_endpoints_file(file, full.model->services[2]);
  EXPECT_TRUE(copy.file) << copy.problems;
}

}  // namespace
}  // namespace telltale::conf
