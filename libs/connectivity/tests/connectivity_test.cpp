#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include <picket/connectivity/report.h>
#include <picket/ipc/probe_json.h>

using namespace picket;
using namespace picket::connectivity;

namespace {

/// A network in memory: what each URL's way gives.
struct Network {
    std::map<std::string, ProbeResult> ways;
    std::vector<ProbeRequest> asked;

    ProbeResult& at(const std::string& url, ConnectionFault fault) {
        ProbeResult& result = ways[url];
        result.fault = fault;
        for (const Hop hop : kHops)
            result.hops.push_back({.hop = hop, .detail = "200"});
        return result;
    }
    Result<Report> examine(const trust::NetworkSettings& settings, const std::vector<ProxyHint>& hints = {}) {
        const Prober probe = [this](const ProbeRequest& request) -> Result<ProbeResult> {
            asked.push_back(request);
            const auto way = ways.find(request.url);
            return way != ways.end() ? way->second : ProbeResult{.fault = ConnectionFault::dns_failed};
        };
        return connectivity::examine({.settings = settings, .hints = hints, .probe = probe});
    }
};

struct Tree {
    std::string top = "/tmp/picket-hints-XXXXXX";
    Tree() {
        REQUIRE(mkdtemp(top.data()) != nullptr);
        std::filesystem::create_directories(top + "/etc/sysconfig");
    }
    ~Tree() { std::filesystem::remove_all(top); }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    void write(const std::string& path, const std::string& text) const {
        REQUIRE(root().write_atomically(path, text, 0644));
    }
    sys::Root root() const { return sys::Root::open(top).value(); }
};

std::vector<std::string> names_of(const std::vector<Notice>& notices) {
    std::vector<std::string> names;
    for (const Notice& notice : notices)
        names.push_back(notice.name);
    return names;
}

const trust::NetworkSettings kMirror{.endpoints = {{"definitions", "https://mirror.example.org/picket"}}};
constexpr const char* kAsked = "https://mirror.example.org/picket/keys.json";

} // namespace

TEST_CASE("every endpoint is asked for with the organisation's proxy, exceptions and authorities") {
    Network network;
    network.at(kAsked, ConnectionFault::none);
    network.at("https://console.example.org", ConnectionFault::none);
    trust::NetworkSettings settings = kMirror;
    settings.endpoints["console"] = "https://console.example.org";
    settings.proxy = "http://proxy:3128";
    settings.no_proxy = {"a"};
    settings.ca_certificates = "PEM";
    const auto report = network.examine(settings);
    REQUIRE(report);
    CHECK(report->all_work());
    CHECK(report->notices.empty());
    REQUIRE(network.asked.size() == 2);
    CHECK_FALSE(network.asked[0].expects_json);
    CHECK(network.asked[1].url == kAsked);
    CHECK(network.asked[1].expects_json);
    for (const ProbeRequest& request : network.asked) {
        CHECK(request.proxy == "http://proxy:3128");
        CHECK(request.no_proxy == std::vector<std::string>{"a"});
        CHECK(request.ca_certificates == "PEM");
    }
    const data::Json json = to_json(*report);
    CHECK(data::bool_or(json, "all_reachable", false));
    CHECK(data::string_or(data::member(json, "endpoints")[1], "endpoint", "") == "definitions");
}

TEST_CASE("an organisation that names no server: nothing is asked, and nothing is wrong") {
    Network network;
    const auto report = network.examine({});
    REQUIRE(report);
    CHECK(report->all_work());
    CHECK(network.asked.empty());
}

TEST_CASE("every fault has something to do about it") {
    for (int i = 0;; ++i) {
        const auto fault = static_cast<ConnectionFault>(i);
        if (to_string(fault) == "unknown")
            break;
        CHECK(connection_fault_from(to_string(fault)) == fault);
        CHECK_MESSAGE(fix_for(fault).empty() == (fault == ConnectionFault::none), to_string(fault));
    }
}

TEST_CASE("proxies of this host are told where they can be the reason, and not otherwise") {
    const std::vector<ProxyHint> hints{{"/etc/environment", "http://other:3128", ProxyHint::Kind::usable}};
    Network lost;
    lost.at(kAsked, ConnectionFault::tcp_failed);
    const auto report = lost.examine(kMirror, hints);
    REQUIRE(report);
    CHECK_FALSE(report->all_work());
    REQUIRE(names_of(report->notices) == std::vector<std::string>{"environment_proxy"});
    CHECK(report->notices[0].fix.find("--proxy http://other:3128") != std::string::npos);

    trust::NetworkSettings settings = kMirror;
    settings.proxy = "http://proxy:3128";
    lost.ways[kAsked].through_proxy = true;
    CHECK(lost.examine(settings, hints)->notices.empty());
    Network well;
    well.at(kAsked, ConnectionFault::none);
    CHECK(well.examine(kMirror, hints)->notices.empty());
    Network forbidden;
    forbidden.at(kAsked, ConnectionFault::http_status);
    CHECK(forbidden.examine(kMirror, hints)->notices.empty());
}

TEST_CASE("proxy auto-configuration and passwords are named, with what to do instead") {
    Network network;
    network.at("http://wpad/wpad.dat", ConnectionFault::none);
    const auto of_network = network.examine(kMirror);
    REQUIRE(names_of(of_network->notices) == std::vector<std::string>{"proxy_auto_configuration"});
    CHECK(of_network->notices[0].fix.find("http://HOST:PORT") != std::string::npos);
    network.ways["http://wpad/wpad.dat"].hops.back().detail = "404";
    CHECK(network.examine(kMirror)->notices.empty());
    network.asked.clear();
    const auto of_host = network.examine(
        kMirror, {{"the environment (auto_proxy)", "http://p/x.pac", ProxyHint::Kind::auto_configuration},
                  {"/etc/environment", "http://proxy:3128", ProxyHint::Kind::authenticated},
                  {"/etc/environment", "socks5://proxy:1", ProxyHint::Kind::unsupported}});
    CHECK(names_of(of_host->notices) ==
          std::vector<std::string>{"proxy_auto_configuration", "proxy_authentication", "proxy_unsupported"});
    CHECK(network.asked.size() == 1); // the network is not asked for what the host says
}

TEST_CASE("hints: variables first, files after them, each value once, no password") {
    const Tree tree;
    tree.write("/etc/environment", "PATH=/bin\nexport HTTPS_PROXY=\"http://joe:hunter2@proxy.example.org:3128\"\n"
                                   "http_proxy=proxy2:8080\nno_proxy=a\n");
    tree.write("/etc/sysconfig/proxy", "PROXY_ENABLED=\"yes\"\nHTTP_PROXY=\"http://pac.example.org/proxy.pac\"\n");
    const std::map<std::string, std::string> variables{{"https_proxy", "http://first:1"},
                                                       {"http_proxy", "http://first:1"}};
    const auto hints = find_proxy_hints(
        [&](const char* name) {
            const auto found = variables.find(name);
            return found == variables.end() ? "" : found->second;
        },
        tree.root());
    REQUIRE(hints.size() == 4);
    CHECK(hints[0].source == "the environment (https_proxy)");
    CHECK(hints[0].kind == ProxyHint::Kind::usable);
    CHECK(hints[1].value == "http://proxy.example.org:3128");
    CHECK(hints[1].kind == ProxyHint::Kind::authenticated);
    CHECK(hints[2].value == "http://proxy2:8080");
    CHECK(hints[3].kind == ProxyHint::Kind::auto_configuration);
    tree.write("/etc/sysconfig/proxy", "PROXY_ENABLED=\"no\"\nHTTP_PROXY=\"http://pac.example.org/proxy.pac\"\n");
    CHECK(find_proxy_hints(no_variable, tree.root()).size() == 2);
}

TEST_CASE("a probe passes between processes whole, and what a stranger sends is held within bounds") {
    const ProbeRequest request{"https://a/", "http://p:1", {"b"}, "PEM", true, std::chrono::seconds(7)};
    const auto again = ipc::probe_request_from(ipc::to_json(request));
    REQUIRE(again);
    CHECK(ipc::to_json(*again) == ipc::to_json(request));
    CHECK_FALSE(ipc::probe_request_from(data::Json::object()));
    CHECK(ipc::probe_request_from({{"url", "x"}, {"seconds", 1'000'000}})->time_limit.count() == 60);

    ProbeResult result{.through_proxy = true, .fault = ConnectionFault::tls_failed, .message = "m", .issuer = "i"};
    for (const Hop hop : kHops)
        result.hops.push_back({hop, HopStatus::passed, "t", std::chrono::milliseconds(3), "d"});
    CHECK(ipc::probe_result_from(ipc::to_json(result)).value() == result);

    data::Json hostile = ipc::to_json(result);
    hostile["message"] = std::string(100'000, '\x1b');
    hostile["hops"][0]["took_ms"] = -5;
    const auto held = ipc::probe_result_from(hostile);
    REQUIRE(held);
    CHECK(held->message.size() <= 2'000);
    CHECK(held->message.find('\x1b') == std::string::npos);
    CHECK(held->hops[0].took.count() == 0);
    for (const char* key : {"hop", "status"}) {
        data::Json unknown = ipc::to_json(result);
        unknown["hops"][1][key] = "teleport";
        CHECK_FALSE(ipc::probe_result_from(unknown));
    }
    CHECK_FALSE(ipc::probe_result_from({{"fault", "unheard_of"}}));
    CHECK(ipc::probe_result_from({{"fault", "none"}})->hops.size() == kHops.size());
}
