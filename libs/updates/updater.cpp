#include <picket/updates/updater.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/crypto/digest.h>
#include <picket/crypto/random.h>
#include <picket/trust/time_text.h>
#include <picket/updates/judge.h>

/// The course of an update; what brings the files in is in bring_in.cpp.
namespace picket::updates {
namespace {

using std::chrono::seconds;

constexpr seconds kFirstBackOff{300};
constexpr seconds kLastBackOff{6 * 3'600};
constexpr std::uint64_t kMostDoublings = 10;
constexpr std::size_t kKeptGenerations = 3;

std::int64_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

/// Half to one and a half of it: a fleet that failed together does not come back together.
seconds jittered(seconds time) {
    const ByteVector random = crypto::random_bytes(2);
    const std::uint32_t spread = (std::uint32_t{random[0]} << 8) + random[1];
    return seconds(time.count() / 2 + time.count() * spread / 65'536);
}

seconds back_off(std::uint64_t failures) {
    const std::uint64_t doublings = std::min(failures > 0 ? failures - 1 : 0, kMostDoublings);
    return jittered(std::min(kFirstBackOff * (1 << doublings), kLastBackOff));
}

std::string_view reason_of(ErrorCode code) {
    switch (code) {
    case ErrorCode::not_found:
        return "definitions_no_mirror";
    case ErrorCode::unavailable:
        return "definitions_mirror_unreachable";
    case ErrorCode::cancelled:
        return "definitions_mirror_stale";
    case ErrorCode::exhausted:
        return "definitions_no_space";
    case ErrorCode::conflict:
    case ErrorCode::corrupt:
    case ErrorCode::invalid_input:
        return "definitions_mirror_untrusted";
    default:
        return "definitions_update_failed";
    }
}

bool may_be_in_between(const Error& error) {
    return error.code() == ErrorCode::corrupt || error.code() == ErrorCode::conflict;
}

} // namespace

std::string_view to_string(Outcome::Status status) {
    static constexpr std::array<std::string_view, 5> kNames{"candidate", "unchanged", "refused", "held", "failed"};
    return kNames[static_cast<std::size_t>(status)];
}

Updater::Updater(const sys::Root& root, const Clock& clock, Fetcher& fetcher)
    : root_(root), clock_(clock), fetcher_(fetcher), store_(root) {
    begin();
}

void Updater::begin() {
    memory_ = load_memory(root_, store_);
    received_ = 0;
    retry_after_.reset();
    // Killed between the swap and the note of it.
    if (memory_.candidate && store_.current().value_or("") == memory_.candidate->generation) {
        memory_.accepted = memory_.candidate;
        memory_.candidate.reset();
    }
}

Outcome Updater::prepare(seconds minimum_age) {
    begin();
    auto outcome = bring(minimum_age);
    return outcome ? note_success(std::move(*outcome)) : note_failure(outcome.error());
}

Result<Outcome> Updater::bring(seconds minimum_age) {
    site_ = PICKET_TRY(read_site(root_));
    const std::string key = site_.organisation_key.to_base64();
    if (memory_.organisation_key != key) {
        memory_.forget();
        memory_.organisation_key = key;
    }
    if (std::exchange(memory_.url, site_.url) != site_.url && memory_.accepted)
        memory_.accepted->etag.clear();
    auto offer = fetch_offer();
    if (!offer && may_be_in_between(offer.error())) // of two publications: once more, and then it counts
        offer = fetch_offer();
    if (!offer)
        return offer.error();
    if (*offer)
        return consider(**offer, minimum_age);
    PICKET_TRY(judge_set(memory_, *memory_.accepted, judged_now(clock_.wall(), memory_)));
    memory_.held.reset();
    return Outcome{.status = Outcome::Status::unchanged,
                   .generation = memory_.accepted->generation,
                   .version = memory_.accepted->version};
}

Result<std::optional<Updater::Offer>> Updater::fetch_offer() {
    const trust::KeyList keys = PICKET_TRY(fetch_key_list());
    return fetch_set(keys);
}

Result<trust::KeyList> Updater::fetch_key_list() {
    const Text text = PICKET_TRY(fetch_text(trust::kKeyListName, trust::kLargestKeyList));
    const Text signature =
        PICKET_TRY(fetch_text(std::string(trust::kKeyListName) + trust::kSignatureSuffix, trust::kLargestSignature));
    auto list = PICKET_TRY(trust::verify_key_list(site_.organisation_key, text.text, signature.text));
    PICKET_TRY(judge_key_list(memory_, list, judged_now(clock_.wall(), memory_)));
    return list;
}

/// Is what is in force what the mirror had last, so that "not modified" answers everything?
bool Updater::knows_newest(const trust::KeyList& keys) const {
    return still_signed(memory_, keys) && !memory_.accepted->etag.empty() &&
           store_.current().value_or("") == memory_.accepted->generation;
}

Result<std::optional<Updater::Offer>> Updater::fetch_set(const trust::KeyList& keys) {
    const Text text = PICKET_TRY(fetch_text(trust::kSetManifestName, trust::kLargestSetManifest,
                                            knows_newest(keys) ? memory_.accepted->etag : std::string()));
    if (text.answer.status == 304)
        return std::optional<Offer>();
    const Text signature = PICKET_TRY(
        fetch_text(std::string(trust::kSetManifestName) + trust::kSignatureSuffix, trust::kLargestSignature));
    const auto believed = PICKET_TRY(trust::verify_definition_set(keys.keys, text.text, signature.text));
    const std::string digest = crypto::sha256_hex(text.text);
    SetRecord record{.version = believed.set.version,
                     .key_id = crypto::to_text(believed.signed_by.id),
                     .sha256 = digest,
                     .issued = to_rfc3339(believed.set.issued),
                     .expires = to_rfc3339(believed.set.expires),
                     .generation = definitions::make_generation_name(believed.set.issued, digest),
                     .etag = text.answer.etag,
                     .key_list_version = keys.version};
    return std::optional(Offer{believed.set, std::move(record)});
}

Result<Outcome> Updater::consider(const Offer& offer, seconds minimum_age) {
    const SetRecord& record = offer.record;
    PICKET_TRY(judge_set(memory_, record, judged_now(clock_.wall(), memory_)));
    memory_.raise_floor(record);
    PICKET_TRY(save());
    Outcome outcome{.generation = record.generation, .version = record.version};
    if (const auto why = why_refused(memory_, record)) {
        outcome.status = Outcome::Status::refused;
        outcome.message = *why;
        memory_.held.reset();
        return outcome;
    }
    if (memory_.accepted && memory_.accepted->sha256 == record.sha256 &&
        store_.current().value_or("") == record.generation) {
        memory_.accepted->etag = record.etag;
        memory_.held.reset();
        outcome.status = Outcome::Status::unchanged;
        return outcome;
    }
    Held held = hold_on(memory_.held, record, minimum_age, clock_);
    if (const auto until = held_until(held, clock_.wall())) {
        held.until = to_rfc3339(*until);
        memory_.held = std::move(held);
        outcome.status = Outcome::Status::held;
        outcome.generation = store_.current().value_or("");
        return outcome;
    }
    return bring_in(offer);
}

Outcome Updater::note_success(Outcome outcome) {
    memory_.attempts.last = memory_.attempts.last_success = seconds_of(clock_.wall());
    memory_.attempts.failures = 0;
    memory_.attempts.not_before = 0;
    memory_.attempts.reason.clear();
    memory_.attempts.message.clear();
    outcome.received = received_;
    if (const auto saved = save(); !saved)
        return note_failure(saved.error());
    return outcome;
}

Outcome Updater::note_failure(const Error& error) {
    Attempts& attempts = memory_.attempts;
    Outcome outcome{.status = Outcome::Status::failed, .received = received_, .message = error.message()};
    outcome.reason = reason_of(error.code());
    outcome.news = attempts.reason != outcome.reason;
    attempts.last = seconds_of(clock_.wall());
    ++attempts.failures;
    attempts.reason = outcome.reason;
    attempts.message = outcome.message;
    seconds wait = back_off(attempts.failures);
    if (retry_after_)
        wait = std::max(wait, *retry_after_ + jittered(kFirstBackOff));
    attempts.not_before = attempts.last + wait.count();
    (void)save(); // a disk without room is said by the outcome already
    return outcome;
}

Outcome Updater::prepare_rollback() {
    begin();
    const auto fail = [](const Error& error) {
        return Outcome{
            .status = Outcome::Status::failed, .reason = "definitions_update_failed", .message = error.message()};
    };
    const auto now = store_.current();
    if (!now)
        return fail(now.error());
    std::vector<std::string> older = store_.list().value_or(std::vector<std::string>{});
    std::erase_if(older, [&](const std::string& name) { return name >= *now; });
    if (older.empty())
        return fail(Error(ErrorCode::not_found, fmt::format("there is no generation older than {}", *now)));
    if (const auto whole = store_.verify(older.back()); !whole)
        return fail(whole.error());
    memory_.going_back_to = older.back();
    memory_.candidate.reset();
    auto saved = save();
    if (saved)
        saved = store_.set_candidate(older.back());
    return saved ? Outcome{.status = Outcome::Status::candidate, .generation = older.back()} : fail(saved.error());
}

Result<void> Updater::commit(const std::string& generation) {
    begin();
    if (store_.candidate().value_or("") != generation)
        return Error(ErrorCode::conflict, fmt::format("{} is not the candidate", generation));
    const std::string before = store_.current().value_or("");
    const bool back = memory_.going_back_to == generation;
    const auto described = store_.describe(generation);
    const auto record = described ? set_record_from(described->origin) : std::nullopt;
    if (back) { // noted first: what is regretted does not come back, whatever happens now
        const auto regretted = store_.describe(before);
        const auto set = regretted ? set_record_from(regretted->origin) : std::nullopt;
        if (set && !why_refused(memory_, *set)) // who goes back twice still does not want the first
            memory_.refused = Refused{*set, "rolled_back", "an administrator went back from it"};
        PICKET_TRY(save());
    }
    PICKET_TRY(store_.make_current(generation));
    memory_.accepted = record;
    if (!back)
        memory_.refused.reset();
    memory_.candidate.reset();
    memory_.going_back_to.clear();
    PICKET_TRY(save());
    PICKET_TRY(store_.clear_candidate());
    if (back && !before.empty() && before != generation)
        PICKET_TRY(store_.remove(before));
    (void)store_.prune(kKeptGenerations); // of another time, where somebody else is at it
    clean_incoming({});
    return {};
}

Result<void> Updater::refuse(const std::string& generation, const std::string& message) {
    begin();
    if (store_.candidate().value_or("") != generation)
        return Error(ErrorCode::conflict, fmt::format("{} is not the candidate", generation));
    const bool brought = memory_.candidate && memory_.candidate->generation == generation;
    if (brought)
        memory_.refused = Refused{*memory_.candidate, "definitions_refused", message};
    memory_.candidate.reset();
    memory_.going_back_to.clear();
    PICKET_TRY(save());
    PICKET_TRY(store_.clear_candidate());
    return brought ? store_.remove(generation) : Result<void>();
}

} // namespace picket::updates
