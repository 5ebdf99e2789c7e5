#pragma once
#include <optional>
#include <string>
#include <vector>

#include <picket/base/clock.h>
#include <picket/crypto/minisign.h>
#include <picket/install/failure.h>
#include <picket/project/files.h>
#include <picket/sys/repositories.h>

/// Files for whoever administers many hosts: projects that drive picket-installer, complete but for the names of the
/// hosts, and what else they give to their own tools.
namespace picket::project {

struct Request {
    std::string folder;                          ///< absolute; made where it is not there
    std::string bundle;                          ///< file; "" = none found
    std::string onboarding;                      ///< file; "" = the one that the project has already, or none
    std::optional<crypto::PublicKey> trust_key;  ///< the only key that the onboarding package may be signed with
    std::vector<crypto::PublicKey> release_keys; ///< who may sign the bundle
    WallTime now{};
};

struct Outcome {
    std::optional<install::Failure> failure;
    Written files;
    std::vector<std::string> next; ///< what to do with it, one sentence each
};

/// An Ansible project: configuration, inventory, collection, playbooks, profiles, bundle, organisation.
Outcome export_ansible(const Request& request);
/// An environment of a Puppet server: module, Hiera data, site.pp, bundle, organisation.
Outcome export_puppet(const Request& request);
/// The shipped profiles and their schema. Needs no bundle.
Outcome export_profiles(const Request& request);
/// What makes a signed repository known to hosts. Needs no bundle.
Outcome export_repository(const Request& request, const std::vector<sys::RepositoryFile>& repository);

} // namespace picket::project
