#include <picket/host/facts.h>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/kernel.h>

#include "root_links.h"

namespace picket::host {
namespace {

constexpr Bytes kSmallFile = kibibytes(4);

struct ManagerProgram {
    PackageManager manager;
    PackageFamily family;
    const char* path;
};
/// What is above comes first: dnf before the rpm it uses.
constexpr std::array<ManagerProgram, 8> kManagerPrograms{{
    {PackageManager::apt, PackageFamily::deb, "/usr/bin/apt-get"},
    {PackageManager::dpkg, PackageFamily::deb, "/usr/bin/dpkg"},
    {PackageManager::zypper, PackageFamily::rpm, "/usr/bin/zypper"},
    {PackageManager::dnf, PackageFamily::rpm, "/usr/bin/dnf"},
    {PackageManager::yum, PackageFamily::rpm, "/usr/bin/yum"},
    {PackageManager::tdnf, PackageFamily::rpm, "/usr/bin/tdnf"},
    {PackageManager::rpm, PackageFamily::rpm, "/usr/bin/rpm"},
    {PackageManager::rpm, PackageFamily::rpm, "/bin/rpm"},
}};

bool there(const sys::Root& root, const char* path) {
    return resolve_in_root(root, path).has_value();
}

void find_package_manager(const sys::Root& root, HostFacts& facts) {
    const auto wanted = facts.distro.distribution ? facts.distro.distribution->package_manager : PackageManager::none;
    facts.family = facts.distro.distribution ? facts.distro.distribution->family : PackageFamily::unknown;
    const ManagerProgram* found = nullptr;
    for (const ManagerProgram& program : kManagerPrograms) {
        const bool fits = facts.family == PackageFamily::unknown || facts.family == program.family;
        if (!fits || (found != nullptr && program.manager != wanted) || !there(root, program.path))
            continue;
        found = &program;
        if (program.manager == wanted)
            break;
    }
    if (found == nullptr)
        return;
    facts.package_manager = found->manager;
    facts.family = found->family;
}

/// libsystemd-shared-252.so, libsystemd-shared-252.4-1.fc37.so: the version without starting systemctl.
std::string systemd_version(const sys::Root& root) {
    constexpr std::string_view kPrefix = "libsystemd-shared-";
    for (const char* directory :
         {"/usr/lib/systemd", "/lib/systemd", "/usr/lib/x86_64-linux-gnu/systemd", "/usr/lib64/systemd"}) {
        const auto resolved = resolve_in_root(root, directory);
        const auto names = resolved ? root.list(*resolved, 5'000) : Result<std::vector<std::string>>(resolved.error());
        if (!names)
            continue;
        for (const std::string& name : *names) {
            if (name.rfind(kPrefix, 0) != 0)
                continue;
            const std::string digits = name.substr(kPrefix.size());
            return digits.substr(0, digits.find_first_not_of("0123456789"));
        }
    }
    return {};
}

std::string elf_architecture(std::string_view header) {
    struct Machine {
        int value;
        const char* name;
    };
    static constexpr std::array<Machine, 8> kMachines{{{62, "x86_64"},
                                                       {3, "i386"},
                                                       {183, "aarch64"},
                                                       {40, "arm"},
                                                       {21, "ppc64"},
                                                       {22, "s390x"},
                                                       {243, "riscv64"},
                                                       {258, "loongarch64"}}};
    if (header.size() < 20 || header.substr(0, 4) != "\x7f"
                                                     "ELF")
        return {};
    const bool big_endian = header[5] == 2;
    const int first = static_cast<unsigned char>(header[18]);
    const int second = static_cast<unsigned char>(header[19]);
    const int value = big_endian ? first * 256 + second : second * 256 + first;
    const auto* machine =
        std::find_if(kMachines.begin(), kMachines.end(), [&](const Machine& m) { return m.value == value; });
    return machine == kMachines.end() ? fmt::format("ELF machine {}", value) : machine->name;
}

/// A 64-bit kernel may run a 32-bit system: what counts is what its programs are.
std::string architecture_of(const sys::Root& root) {
    for (const char* program : {"/bin/sh", "/usr/bin/env", "/sbin/init"}) {
        const auto path = resolve_in_root(root, program);
        const auto file = path ? root.open_file(*path, O_RDONLY | O_NONBLOCK) : Result<UniqueFd>(path.error());
        if (!file)
            continue;
        std::array<char, 20> header{};
        if (read(file->get(), header.data(), header.size()) != static_cast<ssize_t>(header.size()))
            continue;
        if (auto name = elf_architecture({header.data(), header.size()}); !name.empty())
            return name;
    }
    return root.is_running_host() ? sys::running_machine() : std::string();
}

/// Value of `container=` in an environment block.
std::string container_variable(std::string_view environment) {
    constexpr std::string_view kKey = "container=";
    for (const std::string_view entry : split(environment, '\0'))
        if (entry.rfind(kKey, 0) == 0)
            return escape_for_display(entry.substr(kKey.size(), 40));
    return {};
}

std::string container_of(const sys::Root& root, std::string_view kernel) {
    if (const auto named = root.read("/run/systemd/container", kSmallFile); named && !trim(*named).empty())
        return escape_for_display(trim(*named).substr(0, 40));
    if (root.exists("/run/.containerenv"))
        return "podman";
    if (root.exists("/.dockerenv"))
        return "docker";
    if (const auto environment = root.read("/proc/1/environ", kibibytes(256))) // root only
        if (auto name = container_variable(*environment); !name.empty())
            return name;
    if (kernel.find("microsoft") != std::string_view::npos || kernel.find("Microsoft") != std::string_view::npos)
        return "wsl";
    const std::string groups = root.read("/proc/1/cgroup", kibibytes(64)).value_or(std::string());
    for (const char* name : {"docker", "kubepods", "lxc", "libpod"})
        if (groups.find(name) != std::string::npos)
            return name;
    return {};
}

} // namespace

Result<HostFacts> collect_facts(const sys::Root& root, std::string_view support_matrix) {
    const SupportMatrix matrix =
        support_matrix.empty() ? SupportMatrix::built_in() : PICKET_TRY(SupportMatrix::parse(support_matrix));
    HostFacts facts;
    std::optional<sys::KernelRelease> kernel;
    if (root.is_running_host()) {
        facts.kernel_release = sys::running_kernel_release();
        if (auto parsed = sys::parse_kernel_release(facts.kernel_release))
            kernel = *std::move(parsed);
        facts.container = container_of(root, facts.kernel_release);
        facts.systemd_running = root.exists("/run/systemd/system");
    }
    const auto release = read_os_release(root);
    if (release)
        facts.os_release = *release;
    facts.distro = judge_distro(matrix, release, root, kernel);
    find_package_manager(root, facts);
    facts.systemd_present = there(root, "/usr/lib/systemd/systemd") || there(root, "/lib/systemd/systemd");
    facts.systemd_version = facts.systemd_present ? systemd_version(root) : std::string();
    facts.architecture = architecture_of(root);
    return facts;
}

data::Json to_json(const HostFacts& facts) {
    data::Json json = data::Json::object();
    json["os"] = facts.distro.observed;
    if (facts.os_release) {
        json["os_id"] = escape_for_display(facts.os_release->id);
        json["os_version"] = escape_for_display(facts.os_release->version_id);
    }
    json["package_family"] = to_string(facts.family);
    json["package_manager"] = to_string(facts.package_manager);
    json["systemd_present"] = facts.systemd_present;
    json["systemd_running"] = facts.systemd_running;
    json["systemd_version"] = facts.systemd_version;
    json["architecture"] = facts.architecture;
    json["container"] = facts.container;
    json["kernel"] = facts.kernel_release;
    return json;
}

} // namespace picket::host
