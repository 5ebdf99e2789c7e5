#include "exclusion_advisor.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::daemon {
namespace {

using Kind = ExclusionAdvice::Kind;

constexpr std::uint64_t kFewestOpens = 1'000;
constexpr std::uint64_t kShare = 10; ///< one part in that many of all opens
constexpr Milliseconds kSlow{1'000};

bool needs_no_quotes(std::string_view value) {
    return !value.empty() && value[0] != '-' && std::all_of(value.begin(), value.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("/._+@:-").find(c) != std::string_view::npos;
    });
}

std::string command(std::string_view verb, std::string_view type, std::string_view value, std::string_view more = "") {
    const bool by_path = type == "file" || type == "folder" || value.find('/') != std::string_view::npos;
    return needs_no_quotes(value)
               ? fmt::format("picket exclusion {} {} {} {}{}", type, verb, by_path ? "--path" : "--name", value, more)
               : "";
}

class Advisor {
  public:
    Advisor(const profile::EffectiveProfile& profile, const profile::PathLookup& lookup)
        : profile_(profile), lookup_(lookup) {}

    void judge_existing() {
        for (const profile::ListedExclusion& known : profile::list_exclusions(profile_)) {
            const bool is_local = known.source.layer == profile::Layer::local;
            const std::string remove = is_local ? command("remove", known.type, known.value) : "";
            if (known.expired) {
                advice.push_back({Kind::expired, known.type, known.value,
                                  fmt::format("it ended at {}", to_rfc3339(*known.expires)), remove, 0});
                continue;
            }
            const auto dangers = profile::exclusion_dangers(known.type, known.value, lookup_);
            if (!dangers.empty())
                advice.push_back({Kind::risk, known.type, known.value, join(dangers, "; "), remove, 0});
        }
    }

    void propose(std::string_view type, const std::string& value, const std::string& cost, std::uint64_t opens) {
        const auto dangers = profile::exclusion_dangers(type, value, lookup_);
        if (dangers.empty())
            advice.push_back({Kind::exclude, std::string(type), value, cost,
                              command("add", type, value, " --reason TEXT --owner NAME --expires 90d"), opens});
        else
            advice.push_back({Kind::refrain, std::string(type), value,
                              fmt::format("{}; but {}", cost, join(dangers, "; ")), "", opens});
    }

    bool is_excluded(const std::string& path) const { return profile_.policy->exclusions.excludes_path(path); }
    bool is_excluded_process(const std::string& path) const {
        return profile_.policy->exclusions.excludes_process(path);
    }

    std::vector<ExclusionAdvice> advice;

  private:
    const profile::EffectiveProfile& profile_;
    const profile::PathLookup& lookup_;
};

/// The folders of those files, the busiest first.
std::vector<gate::HeavyHitters::Entry> folders_of(const std::vector<gate::HeavyHitters::Entry>& files) {
    std::map<std::string, std::uint64_t> counts;
    for (const auto& file : files)
        if (const auto slash = file.name.rfind('/'); slash != std::string::npos && slash > 0)
            counts[file.name.substr(0, slash)] += file.count;
    std::vector<gate::HeavyHitters::Entry> folders;
    for (const auto& [name, count] : counts)
        folders.push_back({name, count});
    std::stable_sort(folders.begin(), folders.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
    return folders;
}

} // namespace

std::string_view to_string(Kind kind) {
    static constexpr std::array<std::string_view, 4> kNames{"exclude", "refrain", "risk", "expired"};
    return kNames[static_cast<std::size_t>(kind)];
}

std::vector<ExclusionAdvice> advise_exclusions(const OpensSeen& seen, const profile::EffectiveProfile& profile,
                                               const profile::PathLookup& lookup, std::size_t limit) {
    Advisor advisor(profile, lookup);
    advisor.judge_existing();
    const std::size_t most = advisor.advice.size() + limit;
    const std::uint64_t worth_a_word = std::max(kFewestOpens, seen.opens / kShare);
    const auto share = [&](std::uint64_t opens) {
        return fmt::format("about {} % of all opens",
                           std::min<std::uint64_t>(100, opens * 100 / std::max<std::uint64_t>(seen.opens, 1)));
    };
    const auto has_room = [&] { return advisor.advice.size() < most; };
    for (const auto& program : seen.executables)
        if (has_room() && program.count >= worth_a_word && program.name.starts_with('/') &&
            !advisor.is_excluded_process(program.name))
            advisor.propose("process", program.name, "makes " + share(program.count), program.count);
    for (const auto& folder : folders_of(seen.files))
        if (has_room() && folder.count >= worth_a_word && folder.name.starts_with('/') &&
            !advisor.is_excluded(folder.name + "/x"))
            advisor.propose("folder", folder.name, "its files are " + share(folder.count), folder.count);
    for (const gate::SlowScan& slow : seen.slowest)
        if (has_room() && slow.took >= kSlow && slow.path.starts_with('/') && !advisor.is_excluded(slow.path))
            advisor.propose("file", slow.path, fmt::format("one scan of it took {} ms", slow.took.count()), 0);
    return std::move(advisor.advice);
}

} // namespace picket::daemon
