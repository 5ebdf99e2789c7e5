# @summary Installs, onboards, configures and removes Picket
#
# Everything is done by picket-installer: the module brings it and its files to the host and asks it what to do.
#
# @example From the files of this module
#   class { 'picket':
#     installer_source  => 'puppet:///modules/picket_files/picket-installer',
#     bundle_source     => 'puppet:///modules/picket_files/picket-0.1.0-x86_64.tar.gz',
#     onboarding_source => 'puppet:///modules/picket_files/acme.zip',
#     trust_key         => 'RWRUhkiIMUKKtdZdLnPM7DIfmaNvFNvLBQp3OP2/zfjh13v1Lb2rUcLA',
#     tags              => { 'site' => 'ham' },
#     profile           => { 'realTimeProtection' => { 'openDeadlineMs' => 1500 } },
#   }
#
# @example Off the host again, with everything that it knew
#   class { 'picket':
#     ensure => absent,
#     purge  => true,
#   }
#
# @param ensure
#   Whether Picket is on the host: `present` of any version, `latest` of the bundle's, to which an older one is upgraded.
#   `absent` uninstalls.
# @param installer_source
#   Where picket-installer comes from: `puppet:///…`, `https://…`, or a path on the host.
# @param installer_checksum
#   Its SHA-256; another file is refused.
# @param bundle_source
#   Where the bundle comes from.
# @param bundle_checksum
#   Its SHA-256. The installer checks the bundle's signature in any case.
# @param onboarding_source
#   Where the organisation's onboarding package comes from. It holds a secret: whoever may read it can enrol hosts.
# @param onboarding_content
#   The package itself in base64, for those who keep it in an encrypted Hiera. Instead of `onboarding_source`.
# @param trust_key
#   The organisation's public key, as `picket-onboarding create` prints it. No package of another key is accepted.
# @param allow_first_use
#   Onboard without `trust_key`: the first package that comes pins its key on the host.
# @param replace_org
#   Accept a package of another organisation than the one that the host belongs to.
# @param tags
#   Tags of the host. Hashes of all Hiera levels count together.
# @param accept
#   Ids of installer checks that may fail. They are recorded on the host.
# @param profile
#   Configuration: what /etc/picket/managed.d/50-puppet.json holds. Hashes of all Hiera levels are merged deeply. Empty:
#   no such file.
# @param profile_source
#   Where a profile file comes from, YAML or JSON by its name. Instead of `profile`.
# @param purge
#   With `ensure => absent`: leave nothing, neither identity nor settings nor quarantined files. Otherwise they stay for
#   the day when Picket comes back.
# @param lock_timeout
#   Seconds to wait for a busy package manager.
# @param service_manage
#   Whether the module declares `Service['picket.target']`. Off where there is no systemd.
# @param staging_directory
#   Where installer, bundle and onboarding package are kept on the host, for root alone. Programs must be executable there.
class picket (
  Enum['present', 'latest', 'absent'] $ensure = 'present',
  Optional[Picket::Source] $installer_source = undef,
  Optional[Picket::Sha256] $installer_checksum = undef,
  Optional[Picket::Source] $bundle_source = undef,
  Optional[Picket::Sha256] $bundle_checksum = undef,
  Optional[Picket::Source] $onboarding_source = undef,
  Optional[Sensitive[Picket::Base64]] $onboarding_content = undef,
  Optional[Picket::Key] $trust_key = undef,
  Boolean $allow_first_use = false,
  Boolean $replace_org = false,
  Picket::Tags $tags = {},
  Array[Picket::Checkid] $accept = [],
  Hash[String[1], Any] $profile = {},
  Optional[Picket::Source] $profile_source = undef,
  Boolean $purge = false,
  Integer[0] $lock_timeout = 120,
  Boolean $service_manage = true,
  Picket::Path $staging_directory = '/var/cache/picket-puppet',
) {
  if $onboarding_source and $onboarding_content {
    fail('picket: onboarding_source and onboarding_content exclude each other')
  }
  if $ensure == 'latest' and !$bundle_source {
    fail('picket: ensure => latest needs bundle_source')
  }
  if $profile_source and !$profile.empty {
    fail('picket: profile and profile_source exclude each other')
  }

  contain picket::install
  contain picket::config
  contain picket::service

  if $ensure != 'absent' {
    Class['picket::install'] -> Class['picket::config'] -> Class['picket::service']
  } else {
    Class['picket::config'] -> Class['picket::install']
  }
}
