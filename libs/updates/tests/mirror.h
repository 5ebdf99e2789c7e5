#pragma once
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <picket/base/build_info.h>
#include <picket/base/testing/fake_clock.h>
#include <picket/crypto/digest.h>
#include <picket/model/paths.h>
#include <picket/updates/updater.h>
#include <unistd.h>

namespace picket::updates::testing {

using Files = std::map<std::string, std::string>;

/// A mirror in memory that serves what an organisation signed, and may be told to misbehave.
class Mirror final : public Fetcher {
  public:
    explicit Mirror(const Clock& clock) : clock_(clock) { name_keys(1); }

    void name_keys(std::uint64_t version, std::chrono::hours life = std::chrono::hours(1000)) {
        put(trust::kKeyListName, trust::sign_key_list({.version = version,
                                                       .issued = clock_.wall(),
                                                       .expires = clock_.wall() + life,
                                                       .keys = {signer->public_key()}},
                                                      organisation)
                                     .value());
    }
    void publish(std::uint64_t version, const Files& files, std::chrono::hours life = std::chrono::hours(100)) {
        trust::DefinitionSet set{.version = version, .issued = clock_.wall(), .expires = clock_.wall() + life};
        for (const auto& [name, content] : files) {
            const std::string digest = crypto::sha256_hex(content);
            set.files.push_back({name, digest, Bytes{content.size()}});
            served[std::string(trust::kSetFilesFolder) + "/" + digest] = content;
        }
        put(trust::kSetManifestName, trust::sign_definition_set(set, *signer).value());
    }
    void put(const std::string& name, const trust::SignedText& content) {
        served[name] = content.text;
        served[name + trust::kSignatureSuffix] = content.signature;
    }
    void new_key() { signer = std::make_unique<crypto::SecretKey>(crypto::SecretKey::generate()); }

    Result<Answer> fetch(const Request& request) override {
        const std::string name = request.url.substr(base.size() + 1);
        asked.push_back(name);
        if (before)
            before(name);
        if (fail_with)
            return *fail_with;
        if (status != 200)
            return Answer{.status = status, .retry_after = retry_after};
        const auto found = served.find(name);
        if (found == served.end())
            return Answer{.status = 404};
        const std::string etag = "\"" + crypto::sha256_hex(found->second).substr(0, 16) + "\"";
        if (request.if_none_match == etag)
            return Answer{.status = 304};
        return send(request, found->second, etag);
    }

    const std::string base = "https://mirror.example.org/picket";
    const crypto::SecretKey organisation = crypto::SecretKey::generate();
    std::unique_ptr<crypto::SecretKey> signer = std::make_unique<crypto::SecretKey>(crypto::SecretKey::generate());
    Files served;
    std::vector<std::string> asked;
    std::function<void(const std::string&)> before;
    std::optional<Error> fail_with;
    long status = 200;
    std::optional<std::chrono::seconds> retry_after;
    std::size_t cut_after = ~std::size_t{0}; ///< the connection breaks there

  private:
    Result<Answer> send(const Request& request, std::string_view content, const std::string& etag) const {
        if (content.size() > request.limit.count)
            return Error(ErrorCode::corrupt, "more than may be");
        const std::string_view rest = content.substr(std::min<std::size_t>(request.offset, content.size()));
        const std::string_view sent = rest.substr(0, cut_after);
        REQUIRE(ftruncate(request.output, static_cast<off_t>(request.offset)) == 0);
        REQUIRE(pwrite(request.output, sent.data(), sent.size(), static_cast<off_t>(request.offset)) ==
                static_cast<ssize_t>(sent.size()));
        if (sent.size() < rest.size())
            return Error(ErrorCode::unavailable, "the connection broke");
        return Answer{.status = request.offset > 0 ? 206 : 200, .etag = etag, .received = sent.size()};
    }
    const Clock& clock_;
};

/// A day, and a mirror on that day.
struct Setting {
    Setting() : mirror(clock) {
        clock.set_wall(build::built_at() + std::chrono::hours(24));
        mirror.name_keys(1);
    }
    picket::testing::FakeClock clock;
    Mirror mirror;
};

/// A host of that organisation, with definitions of its bundle.
struct Machine {
    explicit Machine(Setting& at) : setting(at) {
        REQUIRE(mkdtemp(top.data()) != nullptr);
        root.emplace(sys::Root::open(top).value());
        onboard(setting.mirror.organisation.public_key());
        store.emplace(*root);
        REQUIRE(store->install("20000101T000000Z-bundle", {{.name = "base.hdb", .content = "base\n"}}, "bundle", {}));
        REQUIRE(store->make_current("20000101T000000Z-bundle"));
        restart();
    }
    ~Machine() { std::filesystem::remove_all(top); }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    void onboard(const crypto::PublicKey& key) const {
        REQUIRE(root->make_directories(paths::kConfigDirectory, 0755));
        const data::Json document{{"endpoints", {{"definitions", setting.mirror.base + "/"}}},
                                  {"proxy", nullptr},
                                  {"ca_certificates", data::Json::array()},
                                  {"keys", {{{"id", crypto::to_text(key.id)}, {"public", key.to_base64()}}}}};
        REQUIRE(root->write_atomically(paths::kOnboarding, data::to_text(document), 0600));
    }
    /// As a new process.
    void restart() { updater.emplace(*root, setting.clock, setting.mirror); }
    /// Prepared and taken by the engine.
    Outcome update(std::chrono::seconds minimum_age = std::chrono::seconds(0)) {
        Outcome outcome = updater->prepare(minimum_age);
        if (outcome.status == Outcome::Status::candidate)
            REQUIRE(updater->commit(outcome.generation));
        return outcome;
    }
    std::string current() const { return store->current().value(); }
    std::string content(const std::string& file) const {
        return root->read(store->path_of(current()) + "/" + file, mebibytes(1)).value_or("");
    }
    std::size_t incoming() const {
        return root->list(paths::kIncomingDefinitions).value_or(std::vector<std::string>{}).size();
    }

    Setting& setting;
    std::string top = std::string(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/picket-updates-XXXXXX";
    std::optional<sys::Root> root;
    std::optional<definitions::Store> store;
    std::optional<Updater> updater;
};

/// The only one of its organisation.
struct Host : Setting, Machine {
    Host() : Machine(static_cast<Setting&>(*this)) {}
};

} // namespace picket::updates::testing
