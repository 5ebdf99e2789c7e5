#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <picket/crypto/minisign.h>
#include <picket/trust/definition_set.h>
#include <picket/updates/memory.h>

namespace picket::updates {

/// One file from the mirror. Seam to the network, which is another process.
class Fetcher {
  public:
    virtual ~Fetcher() = default;
    struct Request {
        std::string url;
        int output = -1; ///< written by position; shortened where the server begins anew
        Bytes limit;     ///< of the whole file
        std::uint64_t offset = 0;
        std::string if_none_match;
        std::chrono::seconds time_limit{60};
        std::string proxy;
        std::vector<std::string> no_proxy;
        std::string ca_certificates;
    };
    struct Answer {
        long status = 0;
        std::string etag;
        std::optional<std::chrono::seconds> retry_after;
        std::uint64_t received = 0;
    };
    virtual Result<Answer> fetch(const Request& request) = 0;
};

/// Where this host's definitions come from, as its onboarding says.
struct Site {
    std::string url; ///< without a slash at its end
    std::string proxy;
    std::vector<std::string> no_proxy;
    std::string ca_certificates; ///< PEM
    crypto::PublicKey organisation_key;
};
/// not_found where the host belongs to no organisation, or that one names no mirror.
Result<Site> read_site(const sys::Root& root);

/// How one step ended.
struct Outcome {
    enum class Status {
        candidate, ///< `generation` waits to be tried
        unchanged, ///< what the mirror has is in force
        refused,   ///< what the mirror has was refused before
        held,      ///< what the mirror has is too young yet; status() says until when
        failed,    ///< `reason`, `message`
    };
    Status status = Status::unchanged;
    std::string generation;
    std::uint64_t version = 0;
    std::uint64_t received = 0; ///< bytes from the network
    std::string reason;         ///< a word of docs/operations.md
    std::string message;
    bool news = false; ///< not said before: an event is due
};
std::string_view to_string(Outcome::Status status);

/// Brings a set in, byte by byte as it was signed, and keeps count of what happened. Nothing of it parses a database:
/// the engine tries a candidate, and commit() or refuse() says how that went. One thread, and one process at a time.
class Updater {
  public:
    Updater(const sys::Root& root, const Clock& clock, Fetcher& fetcher);

    /// A set that was signed less than `minimum_age` ago is left alone.
    Outcome prepare(std::chrono::seconds minimum_age = std::chrono::seconds(0));
    /// The newest generation before the current one becomes the candidate.
    Outcome prepare_rollback();
    /// The engine took the candidate: it becomes current. After a rollback what was current is refused from now on.
    Result<void> commit(const std::string& generation);
    /// The engine did not: it is removed, and nothing is tried before there is a newer one.
    Result<void> refuse(const std::string& generation, const std::string& message);
    data::Json status() const;

  private:
    struct Offer {
        trust::DefinitionSet set;
        SetRecord record;
    };
    void begin();
    Result<Outcome> bring(std::chrono::seconds minimum_age);
    Result<std::optional<Offer>> fetch_offer();
    Result<trust::KeyList> fetch_key_list();
    Result<std::optional<Offer>> fetch_set(const trust::KeyList& keys);
    bool knows_newest(const trust::KeyList& keys) const;
    Result<Outcome> consider(const Offer& offer, std::chrono::seconds minimum_age);
    Result<void> check_files(const trust::DefinitionSet& set) const;
    Result<void> check_space(const trust::DefinitionSet& set) const;
    Result<Outcome> bring_in(const Offer& offer);
    Result<UniqueFd> obtain(const trust::SetFile& file);
    Result<UniqueFd> download(const trust::SetFile& file);
    std::optional<UniqueFd> find_on_disk(const trust::SetFile& file) const;
    struct Text {
        Fetcher::Answer answer;
        std::string text;
    };
    Result<Text> fetch_text(const std::string& name, Bytes limit, const std::string& if_none_match = "");
    Result<Fetcher::Answer> fetch(Fetcher::Request request);
    Outcome note_failure(const Error& error);
    Outcome note_success(Outcome outcome);
    void clean_incoming(const trust::DefinitionSet& keep) const;
    Result<void> save() { return save_memory(root_, memory_); }

    const sys::Root& root_;
    const Clock& clock_;
    Fetcher& fetcher_;
    definitions::Store store_;
    Memory memory_;
    Site site_;
    std::uint64_t received_ = 0;
    std::optional<std::chrono::seconds> retry_after_;
};

} // namespace picket::updates
