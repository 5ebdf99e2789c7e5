#include "findings.h"

#include <array>

#include <clamav.h>
#include <picket/scan/engine_protocol.h>

namespace picket::engine_core {
namespace {

constexpr std::size_t kLongestName = sizeof(scan::ScanReply::threat_name) - 1;
constexpr std::string_view kUnofficial = ".UNOFFICIAL";
constexpr std::string_view kUnnamed = "Unnamed";

struct WeakPrefix {
    std::string_view prefix;
    AlertKind kind;
    std::uint32_t wanted_by; ///< 0 = always counts
};
constexpr std::array<WeakPrefix, 4> kWeakPrefixes{{
    {"Heuristics.Limits.Exceeded", AlertKind::limit_exceeded, 0},
    {"PUA.", AlertKind::potentially_unwanted, scan::kScanPotentiallyUnwanted},
    {"Heuristics.", AlertKind::malicious, scan::kScanHeuristics},
    {"BC.Heuristics.", AlertKind::malicious, scan::kScanHeuristics},
}};

struct ErrorMeaning {
    int code;
    Verdict verdict;
};
/// No space and no memory are limits as well: the file was not seen to its end.
constexpr std::array<ErrorMeaning, 18> kErrorMeanings{{
    {CL_EMAXREC, Verdict::limit_exceeded},
    {CL_EMAXSIZE, Verdict::limit_exceeded},
    {CL_EMAXFILES, Verdict::limit_exceeded},
    {CL_ETIMEOUT, Verdict::limit_exceeded},
    {CL_EMEM, Verdict::limit_exceeded},
    {CL_EWRITE, Verdict::limit_exceeded},
    {CL_ECREAT, Verdict::limit_exceeded},
    {CL_ETMPFILE, Verdict::limit_exceeded},
    {CL_ETMPDIR, Verdict::limit_exceeded},
    {CL_EUNLINK, Verdict::limit_exceeded},
    {CL_EOPEN, Verdict::unreadable},
    {CL_ESTAT, Verdict::unreadable},
    {CL_EREAD, Verdict::unreadable},
    {CL_ESEEK, Verdict::unreadable},
    {CL_EACCES, Verdict::unreadable},
    {CL_EMAP, Verdict::unreadable},
    {CL_CLEAN, Verdict::clean},
    {CL_VERIFIED, Verdict::clean},
}};

} // namespace

std::string shown_name(std::string_view name) {
    if (name.ends_with(kUnofficial))
        name.remove_suffix(kUnofficial.size());
    std::string shown(name.substr(0, kLongestName));
    for (char& c : shown)
        if (c <= 0x20 || c >= 0x7f)
            c = '?';
    return shown.empty() ? std::string(kUnnamed) : shown;
}

AlertKind kind_of_alert(std::string_view name, std::uint32_t flags) {
    for (const WeakPrefix& weak : kWeakPrefixes)
        if (name.starts_with(weak.prefix))
            return weak.wanted_by == 0 || (flags & weak.wanted_by) != 0 ? weak.kind : AlertKind::not_wanted;
    return AlertKind::malicious;
}

Finding finding_from_alerts(const std::vector<std::string>& names, std::uint32_t flags) {
    Finding unwanted;
    bool limit_exceeded = false;
    for (const std::string& name : names) {
        switch (kind_of_alert(name, flags)) {
        case AlertKind::malicious:
            return {Verdict::malicious, shown_name(name)};
        case AlertKind::potentially_unwanted:
            unwanted = {Verdict::potentially_unwanted, shown_name(name)};
            break;
        case AlertKind::limit_exceeded:
            limit_exceeded = true;
            break;
        case AlertKind::not_wanted:
            break;
        }
    }
    return limit_exceeded ? Finding{Verdict::limit_exceeded, {}} : unwanted;
}

Verdict verdict_from_error(int code) {
    for (const ErrorMeaning& meaning : kErrorMeanings)
        if (meaning.code == code)
            return meaning.verdict;
    return Verdict::engine_error;
}

} // namespace picket::engine_core
