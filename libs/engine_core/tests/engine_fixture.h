#pragma once
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <picket/base/unique_fd.h>
#include <picket/engine_core/engine.h>
#include <picket/model/test_pattern.h>

namespace picket::engine_core {

/// A folder of definitions and a folder for temporary files, gone at the end.
struct EngineFixture {
    std::string top = "/tmp/picket-engine-core-XXXXXX";
    EngineFixture() {
        REQUIRE(mkdtemp(top.data()) != nullptr);
        std::filesystem::create_directory(top + "/definitions");
        std::filesystem::create_directory(top + "/tmp");
        static const bool once = initialise_library().has_value();
        REQUIRE(once);
    }
    ~EngineFixture() { std::filesystem::remove_all(top); }

    void definitions(const std::string& name, const std::string& content) {
        std::ofstream(top + "/definitions/" + name, std::ios::binary) << content;
        files.push_back(name);
    }
    /// The set that the package ships.
    void base_definitions() {
        for (const char* name : {"picket-base.hdb", "picket-base.hsb", "picket-base.ndb"}) {
            std::filesystem::copy(std::string(PICKET_SOURCE_DIR "/packaging/definitions/") + name,
                                  top + "/definitions/");
            files.emplace_back(name);
        }
    }
    Result<Engine> load() const { return Engine::load({top + "/definitions", files, top + "/tmp"}); }
    Engine loaded() const {
        auto engine = load();
        REQUIRE_MESSAGE(engine, (engine ? "" : engine.error().message()));
        return std::move(*engine);
    }
    std::string file(const std::string& content) {
        const std::string path = top + "/file" + std::to_string(count++);
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    bool left_nothing() const { return std::filesystem::is_empty(top + "/tmp"); }

    std::vector<std::string> files;
    int count = 0;
};

inline Finding scan_path(Engine& engine, const std::string& path, std::uint32_t flags = 1,
                         Milliseconds limit = Milliseconds(60'000)) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(fd);
    return engine.scan(fd.get(), flags, limit);
}

inline std::string eicar() {
    return test_pattern();
}

} // namespace picket::engine_core
