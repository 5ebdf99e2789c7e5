#pragma once
#include <unordered_set>

#include <picket/sys/file.h>
#include <picket/watch/file_facts.h>

namespace picket::daemon {

using ApprovedFiles = std::unordered_set<watch::FileKey, watch::FileKeyHash>;

/// What an engine needs in order to start under a living gate: the package's programs, the current definitions, and the
/// libraries this process itself has mapped (a shipped build needs no others). Only what root owns and nobody else can
/// write; a file that changes has another key and is none of these any more. Looks, opens nothing.
ApprovedFiles find_approved_files(const sys::Root& root);

} // namespace picket::daemon
