# @summary Brings the installer and its files to the host, and lets it bring Picket in order
#
# @api private
class picket::install {
  if $caller_module_name != $module_name {
    fail("${name} is private: include picket")
  }

  $staging = $picket::staging_directory
  $installer = "${staging}/picket-installer"
  $bundle = "${staging}/bundle.tar.gz"
  $onboarding = "${staging}/onboarding.zip"

  if $picket::ensure != 'absent' {
    # What is staged can be fetched again: no copy goes into the clientbucket.
    $for_root = {
      'owner'     => 'root',
      'group'     => 'root',
      'backup'    => false,
      'show_diff' => false,
    }

    file { $staging:
      ensure => directory,
      owner  => 'root',
      group  => 'root',
      mode   => '0700',
    }

    if $picket::installer_source {
      file { $installer:
        ensure         => file,
        mode           => '0700',
        source         => $picket::installer_source,
        checksum       => 'sha256',
        checksum_value => $picket::installer_checksum,
        *              => $for_root,
      }
    }

    if $picket::bundle_source {
      file { $bundle:
        ensure         => file,
        mode           => '0600',
        source         => $picket::bundle_source,
        checksum       => 'sha256',
        checksum_value => $picket::bundle_checksum,
        *              => $for_root,
      }
    }

    if $picket::onboarding_source {
      file { $onboarding:
        ensure   => file,
        mode     => '0600',
        source   => $picket::onboarding_source,
        checksum => 'sha256',
        *        => $for_root,
      }
    } elsif $picket::onboarding_content {
      file { $onboarding:
        ensure  => file,
        mode    => '0600',
        content => Sensitive(Binary($picket::onboarding_content.unwrap)),
        *       => $for_root,
      }
    }
  } else {
    # The installer may be needed to take Picket away: its folder goes last.
    file { $staging:
      ensure  => absent,
      recurse => true,
      force   => true,
      backup  => false,
      require => Picket_agent['picket'],
    }
  }

  $bundle_here = $picket::bundle_source ? {
    undef   => undef,
    default => $bundle,
  }
  $onboarding_here = [$picket::onboarding_source, $picket::onboarding_content] ? {
    [undef, undef] => undef,
    default        => $onboarding,
  }

  picket_agent { 'picket':
    ensure          => $picket::ensure,
    installer       => $installer,
    bundle          => $bundle_here,
    onboarding      => $onboarding_here,
    trust_key       => $picket::trust_key,
    allow_first_use => $picket::allow_first_use,
    replace_org     => $picket::replace_org,
    tags            => $picket::tags,
    accept          => $picket::accept,
    purge           => $picket::purge,
    lock_timeout    => $picket::lock_timeout,
  }
}
