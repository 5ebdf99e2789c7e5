#pragma once

namespace picket::engine {

/// Tries to break out of a worker's sandbox in every way of a table, each in a process of its own: once with all
/// layers, once with each layer alone. Prints JSON; 0 where everything was contained. Needs a process that has given
/// up its privileges, as a worker has.
///   {"schema":1,"contained":true,"layers":{"seccomp":true,"landlock_abi":7},
///    "attempts":[{"name":"read /etc/passwd","contained":true,
///                 "all":"killed","seccomp":"succeeded","landlock":"EACCES","user":"succeeded"}, …]}
int probe_sandbox(int temporary_directory);

} // namespace picket::engine
