#pragma once
#include <picket/command_line/verb.h>

/// Options that verbs of both tables have.
namespace picket::installer {

inline const command_line::Option kBundle{.name = "--bundle",
                                          .value = "FILE",
                                          .help =
                                              "default: the newest beside this program, then in the current directory",
                                          .kind = command_line::ValueKind::path};
inline const command_line::Option kRing{
    .name = "--ring", .value = "RING", .help = "of the repository: insiders, prod, or as its publisher calls them"};
inline const command_line::Option kRepoKey{
    .name = "--repo-key",
    .value = "KEY",
    .help = "a file with the repository's OpenPGP keys, or a key's fingerprint; default: those that are signed by a "
            "release key",
    .repeatable = true};

} // namespace picket::installer
