# @summary Puppet's part of the configuration
#
# @api private
class picket::config {
  if $caller_module_name != $module_name {
    fail("${name} is private: include picket")
  }

  if $picket::ensure == 'absent' and !$picket::purge {
    # What is kept of Picket is kept with its profile.
  } elsif $picket::ensure == 'absent' or ($picket::profile.empty and !$picket::profile_source) {
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
