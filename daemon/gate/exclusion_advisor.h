#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/gate/activity.h>
#include <picket/profile/exclusions.h>

namespace picket::daemon {

/// What was opened since the daemon's start; names as the kernel gave them.
struct OpensSeen {
    std::uint64_t opens = 0; ///< that the kernel asked about
    std::vector<gate::HeavyHitters::Entry> executables;
    std::vector<gate::HeavyHitters::Entry> files;
    std::vector<gate::SlowScan> slowest;
};

struct ExclusionAdvice {
    enum class Kind {
        exclude, ///< would take load off, and nothing known speaks against it
        refrain, ///< would take load off, and would let malware in
        risk,    ///< is excluded, and lets malware in
        expired, ///< no longer counts: can be removed
    };
    Kind kind = Kind::exclude;
    std::string type;
    std::string value;
    std::string why;         ///< safe to show
    std::string command;     ///< what to type; empty where there is nothing to do, or the value needs quoting
    std::uint64_t opens = 0; ///< about; 0 where it is not about opens
};
std::string_view to_string(ExclusionAdvice::Kind kind);

/// First what is wrong with the exclusions that there are, then at most `limit` programs, folders and files that cost
/// most. Something is worth a word from a tenth of all opens on (and a thousand of them), or a second for one scan.
std::vector<ExclusionAdvice> advise_exclusions(const OpensSeen& seen, const profile::EffectiveProfile& profile,
                                               const profile::PathLookup& lookup, std::size_t limit);

} // namespace picket::daemon
