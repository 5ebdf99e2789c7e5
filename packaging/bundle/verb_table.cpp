#include "context.h"

namespace picket::bundle {

using command_line::ValueKind;

const command_line::Program& program() {
    static const command_line::Program kProgram{
        .name = "picket-bundle",
        .summary = "makes and checks the signed bundle that picket-installer installs from",
        .global_options =
            {{.name = "--output-format", .value = "FORMAT", .help = "how to answer", .choices = "text|json"}},
        .verbs =
            {{.words = "keys",
              .summary =
                  "make the two release keys where they are not there yet, and write the public ones as a C++ header",
              .options =
                  {{.name = "--directory",
                    .value = "DIR",
                    .help = "where they are kept; default $PICKET_RELEASE_KEYS or ~/.local/share/picket/release-keys",
                    .kind = ValueKind::path},
                   {.name = "--header", .value = "FILE", .help = "the header to write", .kind = ValueKind::path}},
              .examples = {"picket-bundle keys",
                           "picket-bundle keys --directory /secure/keys --header release_keys_generated.h"}},
             {.words = "make",
              .summary = "make and sign a bundle, and picket-installer.minisig beside it",
              .options =
                  {{.name = "--version", .value = "VERSION", .help = "version of what is in it", .required = true},
                   {.name = "--architecture", .value = "ARCH", .help = "as uname -m says it", .required = true},
                   {.name = "--key-directory",
                    .value = "DIR",
                    .help = "where the release keys are kept",
                    .kind = ValueKind::path},
                   {.name = "--installer",
                    .value = "FILE",
                    .help = "the picket-installer program",
                    .required = true,
                    .kind = ValueKind::path},
                   {.name = "--file",
                    .value = "NAME=PATH",
                    .help = "a file, and its name in the bundle",
                    .repeatable = true},
                   {.name = "--expires", .value = "DATE", .help = "when it ends: 2027-08-21", .required = true},
                   {.name = "--output",
                    .value = "FILE",
                    .help = "the bundle",
                    .required = true,
                    .kind = ValueKind::path,
                    .short_name = 'o'}},
              .examples =
                  {"picket-bundle make --version 0.1.0 --architecture x86_64 --installer build/bin/picket-installer "
                   "--file picket_0.1.0_amd64.deb=build/dist/picket_0.1.0_amd64.deb --expires 2027-08-21 --output "
                   "picket-0.1.0-x86_64.tar.gz"},
              .note = "The build date is now, or $SOURCE_DATE_EPOCH."},
             {.words = "sign",
              .summary = "sign a file that is published beside the bundle, as FILE.minisig",
              .options = {{.name = "FILE", .help = "the file", .required = true, .kind = ValueKind::path},
                          {.name = "--key-directory",
                           .value = "DIR",
                           .help = "where the release keys are kept",
                           .kind = ValueKind::path},
                          {.name = "--comment",
                           .value = "TEXT",
                           .help = "what it is for; signed, and whoever verifies it may insist on it",
                           .required = true}},
              .examples = {"picket-bundle sign picket-archive-keyring.gpg --comment \"picket-archive-keyring\""}},
             {.words = "verify",
              .summary = "check every byte of a bundle",
              .options = {{.name = "FILE", .help = "a bundle", .required = true, .kind = ValueKind::path},
                          {.name = "--trust-key",
                           .value = "KEY",
                           .help = "a release key (RW…) or its .pub file",
                           .required = true,
                           .repeatable = true}},
              .examples = {"picket-bundle verify picket-0.1.0-x86_64.tar.gz --trust-key release-1.pub"}}},
        .exit_codes = {{0, "done"}, {1, "failed"}, {2, "usage"}, {28, "bundle refused"}},
    };
    return kProgram;
}

} // namespace picket::bundle
