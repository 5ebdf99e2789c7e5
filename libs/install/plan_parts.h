#pragma once
#include <picket/install/plan.h>

/// Private to libs/install: what plan.cpp and plan_repository.cpp share.
namespace picket::install {

void add(Plan& plan, std::string id, std::string title, data::Json parameters, bool changes = true);
/// Those of `changes` that differ from the state become one step.
void add_files(Plan& plan, const HostState& state, const std::string& id, const std::string& title,
               const std::vector<FileChange>& changes);

/// Where a bundle's files are while a transaction runs.
std::string staged_directory(const std::string& version);
void add_stage(Plan& plan, const BundleMaterial& bundle);
/// For the receipt.
data::Json to_json(const BundleMaterial& bundle);

/// The package in the file `from` stays on the host after that is gone.
void add_keep(Plan& plan, const std::string& from, const KeptPackage& package);
/// The bundle's package, from the files that it was staged to.
void add_keep(Plan& plan, const std::string& staged, const BundleMaterial& bundle);

/// The services stop, and the package goes.
void add_removal(Plan& plan, const HostState& state, UninstallMode mode, Milliseconds lock_timeout, bool image);

// Of an installation that ends what `os-upgrade prepare` began.
void add_os_upgrade_resume(Plan& plan, const HostState& state, const Wishes& wishes);
void add_os_upgrade_end(Plan& plan);

// Of an installation whose wishes name a repository.
void add_repository(Plan& plan, const HostState& state, const Wishes& wishes);
void add_repository_package(Plan& plan, const HostState& state, const Wishes& wishes);
void add_repository_definitions(Plan& plan, const HostState& state, const Wishes& wishes);
/// Of a removal, where an installation set one up.
void add_repository_removal(Plan& plan, const HostState& state);

} // namespace picket::install
