#include <doctest/doctest.h>

#include <fmt/format.h>
#include <picket/data/json.h>
#include <picket/data/lenient_json.h>
#include <picket/data/schema.h>
#include <picket/data/yaml.h>

using namespace picket;
using namespace picket::data;

TEST_CASE("parse_json is strict and bounded") {
    CHECK(parse_json(R"({"a":[1,2.5,"x",null,true]})").value()["a"].size() == 5);
    CHECK(parse_json(R"({"a":1,"a":2})").error().message().find("twice") != std::string::npos);
    CHECK(parse_json_last_counts(R"({"a":1,"a":{"b":2}})").value()["a"]["b"] == 2);
    CHECK_FALSE(parse_json("{\"a\":\"\xff\"}"));
    CHECK_FALSE(parse_json("{} x"));
    CHECK_FALSE(parse_json(""));
    CHECK_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')));
    CHECK_FALSE(parse_json(std::string(1'000'000, '[')));
    CHECK_FALSE(parse_json("[1e999]"));
    CHECK(parse_json("{\n  \"a\": x }").error().message().find("line 2") != std::string::npos);
    CHECK(parse_json("\"" + std::string(2'000'000, 'x') + "\"").error().code() == ErrorCode::invalid_input);
}

TEST_CASE("typed access names key and type") {
    const Json object = parse_json(R"({"n":1,"s":"x","b":true})").value();
    CHECK(get_integer(object, "n").value() == 1);
    CHECK(get_string(object, "n").error().message() == "\"n\" must be a string, not number");
    CHECK(get_bool(object, "z").error().message() == "\"z\" is missing: true or false expected");
    CHECK(string_or(object, "s", "y") == "x");
    CHECK(integer_or(object, "z", 5) == 5);
    CHECK(member(Json(3), "x").is_null());
}

TEST_CASE("paths that are not UTF-8 come back byte for byte") {
    Json object = Json::object();
    const std::string raw = "/tmp/\xff\n";
    set_path(object, "path", raw);
    const Json back = parse_json(to_text(object)).value();
    CHECK(back.contains("path_b64"));
    CHECK(path_of(back, "path") == raw);
    set_path(object, "other", "/tmp/grün");
    CHECK_FALSE(object.contains("other_b64"));
    CHECK(path_of(object, "other") == "/tmp/grün");
}

TEST_CASE("YAML becomes typed JSON with positions") {
    const auto document = parse_yaml("a: 1\nb:\n  - \"1\"\n  - yes\n  - 1.5\n  - ~\nc: &x {d: true}\ne: *x\n");
    REQUIRE(document);
    CHECK(document->value == parse_json(R"({"a":1,"b":["1","yes",1.5,null],"c":{"d":true},"e":{"d":true}})").value());
    CHECK(document->positions.at("/b").line == 2);
    CHECK(document->positions.at("/b/1").line == 4);
    CHECK(document->positions.at("/b/1").column == 5);
}

TEST_CASE("YAML merge keys: what is said itself wins, then the first of a list; a quoted << is a key") {
    const auto value = [](const std::string& text) { return to_text(parse_yaml(text).value().value); };
    CHECK(value("a: &a {x: 1, y: 1}\nb: {<<: *a, y: 2}\n") == R"({"a":{"x":1,"y":1},"b":{"x":1,"y":2}})");
    CHECK(value("- &a {x: 1}\n- &b {x: 2, z: 2}\n- {y: 3, <<: [*a, *b]}\n") ==
          R"([{"x":1},{"x":2,"z":2},{"x":1,"y":3,"z":2}])");
    CHECK(value("\"<<\": 1\n") == R"({"<<":1})");
    const auto document = parse_yaml("a: &a\n  x: 1\nb:\n  <<: *a\n  y: 2\n");
    CHECK(document.value().positions.at("/b/x").line == 2);
    CHECK(document.value().positions.at("/b/y").line == 5);
    for (const char* bad : {"{<<: 1}", "{<<: [1]}", "{<<: {a: 1}, <<: {b: 1}}", "&a {<<: *a}", "a: &a {b: {<<: *a}}"}) {
        CAPTURE(bad);
        CHECK(parse_yaml(bad).error().message().find("line 1") != std::string::npos);
    }
}

TEST_CASE("hostile YAML is an answer") {
    CHECK(parse_yaml("a: 1\na: 2\n").error().message().find("line 2") != std::string::npos);
    CHECK_FALSE(parse_yaml("a: [1"));
    CHECK_FALSE(parse_yaml(std::string(100'000, '[')));
    CHECK_FALSE(parse_yaml("[\xff]"));
    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 9; ++i) {
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 10; ++j)
            bomb += (j ? ",*a" : "*a") + std::to_string(i - 1);
        bomb += "]\n";
    }
    CHECK(parse_yaml(bomb).error().message().find("more than") != std::string::npos);
    std::string merges = "a0: &a0 {k0: x, k1: x, k2: x}\n";
    for (int i = 1; i < 20; ++i)
        merges += fmt::format("a{0}: &a{0} {{<<: [*a{1}, *a{1}, *a{1}], b{0}: *a{1}}}\n", i, i - 1);
    CHECK(parse_yaml(merges).error().code() == ErrorCode::invalid_input);
    std::string dashes;
    for (int i = 0; i < 50'000; ++i)
        dashes += "- ";
    CHECK_FALSE(parse_yaml(dashes));
    CHECK(parse_yaml("").value().value.is_null());
    for (const char* comma : {", b", "- a\n, b", "{a: b} ,", "\"x\" ,", "--- 1\n--- 2\n"})
        CHECK_FALSE(parse_yaml(comma));
    CHECK(parse_yaml("--- {a: 1}\n...\n").value().value == parse_json(R"({"a":1})").value());
}

TEST_CASE("check_schema points at what is wrong") {
    const Json schema = parse_json(R"({"type":"object","additionalProperties":false,
        "properties":{"a":{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}}})")
                            .value();
    CHECK(check_schema(schema, parse_json(R"({"a":{"n":3}})").value())->empty());
    const auto problems = check_schema(schema, parse_json(R"({"a":{"n":0}})").value()).value();
    REQUIRE_FALSE(problems.empty());
    bool found = false;
    for (const auto& problem : problems)
        found = found || problem.pointer == "/a/n";
    CHECK(found);
    CHECK_FALSE(check_schema(schema, parse_json(R"({"b":1})").value())->empty());
}
