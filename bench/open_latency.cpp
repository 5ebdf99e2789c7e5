// How long open() takes: every file of a folder, so many rounds, each call timed by itself.
// Usage: open_latency DIRECTORY ROUNDS   prints {"count", "p50_ns", "p99_ns", "max_ns"}
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

long now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000L + time.tv_nsec;
}

std::vector<std::string> files_of(const char* directory) {
    std::vector<std::string> names;
    if (DIR* const stream = opendir(directory); stream != nullptr) {
        while (const dirent* const entry = readdir(stream))
            if (entry->d_type == DT_REG)
                names.push_back(std::string(directory) + "/" + entry->d_name);
        closedir(stream);
    }
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> files = argc == 3 ? files_of(argv[1]) : std::vector<std::string>{};
    const int rounds = argc == 3 ? std::atoi(argv[2]) : 0;
    if (files.empty() || rounds < 1) {
        std::fprintf(stderr, "usage: open_latency DIRECTORY ROUNDS\n");
        return 2;
    }
    std::vector<long> took;
    for (int round = 0; round < rounds; ++round)
        for (const std::string& file : files) {
            const long start = now_ns();
            const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
            took.push_back(now_ns() - start);
            if (fd < 0) {
                std::perror(file.c_str());
                return 1;
            }
            close(fd);
        }
    std::sort(took.begin(), took.end());
    const std::size_t last = took.size() - 1;
    std::printf("{\"count\": %zu, \"p50_ns\": %ld, \"p99_ns\": %ld, \"max_ns\": %ld}\n", took.size(), took[last / 2],
                took[last * 99 / 100], took[last]);
    return 0;
}
