#pragma once
#include <string>
#include <vector>

#include <picket/sys/file.h>

namespace picket::install {

/// What Picket may have put on a host, as names of fixed depth: `*` stands within one component. Removal goes by this
/// list and never further down: what is not on it stays, and is named.
struct KnownPath {
    const char* pattern;
    enum Kind { file, directory } kind;
};
const std::vector<KnownPath>& product_files();
/// What a bundle's extraction leaves below files::kIncoming and files::kStaged, and backups.
const std::vector<KnownPath>& working_files();

struct RemovalReport {
    std::size_t removed = 0;
    std::vector<std::string> left; ///< there, and not ours (or not removable)
    std::vector<std::string> errors;
};
/// Removes the files, then the directories that are empty then. Goes by directory descriptors and follows no link.
RemovalReport remove_known(const sys::Root& root, const std::vector<KnownPath>& known);
/// Where in the product's folders another file system is mounted; "" = nowhere. What it holds is not ours to remove.
std::string foreign_mount(const sys::Root& root);
/// Whether anything of `known` is there.
bool any_present(const sys::Root& root, const std::vector<KnownPath>& known);
/// Files that somebody would miss: not folders, and not what is below /run.
std::vector<KnownPath> state_files();

} // namespace picket::install
