# @summary Puppet's part of the configuration
#
# @api private
class picket::config {
  assert_private()

  if $picket::ensure == 'absent' or ($picket::profile.empty and !$picket::profile_source) {
    picket_profile { 'puppet':
      ensure => absent,
    }
  } elsif $picket::profile_source {
    # The name tells picket whether it reads YAML or JSON.
    $ending = $picket::profile_source ? {
      /\.json\z/ => 'json',
      default    => 'yaml',
    }
    $profile = "${picket::staging_directory}/profile.${ending}"

    file { $profile:
      ensure => file,
      owner  => 'root',
      group  => 'root',
      mode   => '0600',
      source => $picket::profile_source,
    }

    picket_profile { 'puppet':
      ensure => present,
      source => $profile,
    }
  } else {
    picket_profile { 'puppet':
      ensure   => present,
      settings => $picket::profile,
    }
  }
}
