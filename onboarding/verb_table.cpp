#include "context.h"

namespace picket::onboarding {
namespace {

using command_line::Option;
using command_line::ValueKind;
using command_line::Verb;

const Option kDirectory{.name = "--directory",
                        .value = "DIR",
                        .help = "where the organisation's key is kept; default ~/.config/picket/organisation",
                        .kind = ValueKind::path};
const Option kPassphraseFile{.name = "--passphrase-file",
                             .value = "FILE",
                             .help = "the first line of FILE is the key's passphrase",
                             .kind = ValueKind::path};
const Option kFile{.name = "FILE", .help = "an onboarding package", .required = true, .kind = ValueKind::path};

const Verb kInit{
    .words = "init",
    .summary = "make an organisation: its identity, its region, its signing key",
    .options =
        {{.name = "--org", .value = "NAME", .help = "name of the organisation, as people know it", .required = true},
         {.name = "--region",
          .value = "REGION",
          .help = "where its data belongs; cannot be changed later",
          .required = true},
         kDirectory,
         kPassphraseFile,
         {.name = "--passphrase", .help = "ask for a passphrase on the terminal"}},
    .examples = {"picket-onboarding init --org \"Acme Ltd\" --region eu-central",
                 "picket-onboarding init --org Acme --region us-east --passphrase"},
    .note = "The key signs every onboarding package. Keep the directory safe, and keep a copy: who has the key can "
            "take hosts over, and "
            "without it no host can be moved to a newer package.",
};
const Verb kCreate{
    .words = "create",
    .summary = "make a signed onboarding package for hosts",
    .options =
        {{.name = "--out",
          .value = "FILE",
          .help = "the package; default picket-onboarding-ORG.zip",
          .kind = ValueKind::path,
          .short_name = 'o'},
         {.name = "--ttl", .value = "TIME", .help = "how long hosts accept it: 90d (default), 12h, 30m"},
         {.name = "--tag", .value = "KEY=VALUE", .help = "a tag for every host that uses it", .repeatable = true},
         {.name = "--definitions-url", .value = "URL", .help = "where hosts fetch definitions"},
         {.name = "--console-url", .value = "URL", .help = "the organisation's console"},
         {.name = "--ca",
          .value = "FILE",
          .help = "CA certificates (PEM) that these servers are checked against",
          .repeatable = true,
          .kind = ValueKind::path},
         {.name = "--proxy", .value = "URL", .help = "http://HOST:PORT that hosts go out through"},
         {.name = "--no-proxy",
          .value = "HOST",
          .help = "a name (and all below it), address or range (10.0.0.0/8) that hosts reach without the proxy",
          .repeatable = true},
         {.name = "--profile",
          .value = "FILE",
          .help = "a configuration profile, YAML or JSON; applied in the order of their names",
          .repeatable = true,
          .kind = ValueKind::path},
         kDirectory,
         kPassphraseFile},
    .examples = {"picket-onboarding create",
                 "picket-onboarding create --ttl 30d --tag site=berlin --profile base.yaml -o berlin.zip",
                 "picket-onboarding create --definitions-url https://mirror.example.org/picket --ca ca.pem --proxy "
                 "http://proxy.example.org:3128"},
    .note = "The package holds the enrolment token: it is written for its owner alone (0600).",
};
const Verb kInspect{
    .words = "inspect",
    .summary = "show what a package holds, except the enrolment token",
    .options = {kFile},
    .examples = {"picket-onboarding inspect picket-onboarding-acme.zip",
                 "picket-onboarding inspect acme.zip --output json"},
    .note = "Its signature is checked against the key that is in it, which proves that it is whole, not who made it; "
            "verify does that. "
            "An expired package is shown too.",
};
const Verb kVerify{
    .words = "verify",
    .summary = "check that a package is whole, valid now, and signed by a key you trust",
    .options = {kFile,
                {.name = "--trust-key",
                 .value = "KEY",
                 .help = "the organisation's public key (RW…), or its .pub file",
                 .required = true}},
    .examples = {"picket-onboarding verify acme.zip --trust-key ~/.config/picket/organisation/acme.pub"},
};

const Verb kPublish{
    .words = "definitions publish",
    .summary = "make a mirror directory of definitions that hosts believe",
    .options = {{.name = "DIR",
                 .help = "the mirror's directory, as a web server serves it",
                 .required = true,
                 .kind = ValueKind::path},
                {.name = "--from",
                 .value = "FOLDER",
                 .help = "the databases: .cvd, .ndb, .hdb, .hsb, .ldb, .yar …; others in it are left out",
                 .required = true,
                 .kind = ValueKind::path},
                {.name = "--ttl",
                 .value = "TIME",
                 .help = "how long hosts take it for up to date: 14d (default), 12h, 30m; publish again before"},
                {.name = "--rotate-key", .help = "sign with a new key from now on; hosts refuse the former one"},
                kDirectory,
                kPassphraseFile},
    .examples = {"picket-onboarding definitions publish /var/www/picket --from /srv/definitions",
                 "picket-onboarding definitions publish /var/www/picket --from /srv/definitions --rotate-key"},
    .note =
        "Definitions have a key of their own, without a passphrase, so that a timer can publish. The organisation's "
        "key says which one that is; it is needed only for the first set, with --rotate-key, and about twice a "
        "year. The key of definitions was stolen? Publish with --rotate-key.",
};

} // namespace

const command_line::Program& program() {
    static const command_line::Program kProgram{
        .name = "picket-onboarding",
        .summary = "makes a Picket organisation, its onboarding packages, its mirrors of definitions",
        .global_options = {{.name = "--output", .value = "FORMAT", .help = "how to answer", .choices = "text|json"}},
        .verbs = {kInit, kCreate, kInspect, kVerify, kPublish},
        .exit_codes = {{0, "done"},
                       {1, "failed"},
                       {2, "usage"},
                       {30, "package not found"},
                       {31, "package refused"},
                       {41, "profile refused"}},
        .description = "An organisation is a name, a region and a key. The key signs the onboarding packages that give "
                       "hosts to the organisation; only the admin who holds it can make one. It runs on the admin's "
                       "own machine, needs neither root nor a daemon, and sends nothing anywhere.",
        .files = {{"~/.config/picket/organisation/",
                   "the organisation: its identity, the secret key, and the public key that hosts are told"}},
        .see_also = {"picket(1)", "picket-installer(8)"},
    };
    return kProgram;
}

} // namespace picket::onboarding
