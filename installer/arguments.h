#pragma once
#include <string>
#include <vector>

#include <picket/command_line/verb.h>
#include <picket/install/repository.h>
#include <picket/install/session.h>

namespace picket::installer {

/// Flags of a --config file that the command line does not name itself, as further arguments.
Result<std::vector<std::string>> arguments_of_config(const std::string& path, const command_line::Invocation& given);

/// --from-repo, --ring and --repo-key; no URL where none is named. A ring is a repository of its own, in the folder of
/// its name (packaging/repo/publish --ring). invalid_input = usage.
Result<install::RepositoryWish> repository_of(const command_line::Invocation& invocation);

/// invalid_input = usage. The bundle is not looked for here.
Result<install::Request> request_of(const command_line::Invocation& invocation);

} // namespace picket::installer
