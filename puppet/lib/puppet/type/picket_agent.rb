# frozen_string_literal: true

require 'puppet/parameter/boolean'
require_relative '../../puppet_x/picket/planned_property'

Puppet::Type.newtype(:picket_agent) do
  @doc = <<~DOC
    @summary Picket on this host: installed, onboarded and protecting, or gone.

    Puppet decides nothing about it. `picket-installer install --dry-run` says what is not as it should be, and
    `picket-installer install` mends it; so both always agree. With noop on a host that has no installer yet, Puppet
    says what will become of `ensure`; where there is one, it says so of every field.

    Class picket declares this resource; on its own it is for hosts that get their files some other way.

    @example Files that are on the host already
      picket_agent { 'picket':
        ensure     => present,
        installer  => '/opt/media/picket-installer',
        bundle     => '/opt/media/picket-0.1.0-x86_64.tar.gz',
        onboarding => '/opt/media/acme.zip',
        trust_key  => 'RWRUhkiIMUKKtdZdLnPM7DIfmaNvFNvLBQp3OP2/zfjh13v1Lb2rUcLA',
        tags       => { 'site' => 'ham' },
      }
  DOC

  ensurable do
    desc <<~DOC
      Whether Picket is on the host: `present` of any version, `latest` of the bundle's, to which an older one is upgraded.
      `absent` uninstalls.
    DOC

    newvalue(:present) { provider.apply }
    newvalue(:latest) { provider.apply }
    newvalue(:absent) { provider.destroy }
    defaultto :present

    # Another version is a change of the field version.
    def insync?(is)
      should == :latest ? is == :present : super
    end

    def retrieve
      provider.presence
    end
  end

  newparam(:name, namevar: true) do
    desc 'Any name; a host has one picket_agent.'
  end

  newparam(:installer) do
    desc 'Path of the picket-installer to use. Where it is not there, the installed one is used: /usr/sbin/picket-installer.'

    validate { |value| resource.absolute!(:installer, value) }
  end

  newparam(:bundle) do
    desc 'Path of the bundle to install and upgrade from. Default: the newest beside the installer.'

    validate { |value| resource.absolute!(:bundle, value) }
  end

  newparam(:onboarding) do
    desc "Path of the organisation's onboarding package. May be left out on hosts that are onboarded."

    validate { |value| resource.absolute!(:onboarding, value) }
  end

  newparam(:trust_key) do
    desc "The organisation's public key, as `picket-onboarding create` prints it: a package that is not signed with it is refused."
  end

  newparam(:allow_first_use, boolean: true, parent: Puppet::Parameter::Boolean) do
    desc 'Onboard without trust_key: the first package that comes pins its key on the host.'

    defaultto false
  end

  newparam(:accept) do
    desc 'Ids of checks that may fail, such as `memory.total`. They are recorded on the host.'

    munge { |value| Array(value) }
    defaultto { [] }
  end

  newparam(:replace_org, boolean: true, parent: Puppet::Parameter::Boolean) do
    desc 'Accept a package of another organisation than the one that the host belongs to.'

    defaultto false
  end

  newparam(:purge, boolean: true, parent: Puppet::Parameter::Boolean) do
    desc 'With `ensure => absent`: leave nothing, neither identity nor settings nor quarantined files. Otherwise they stay.'

    defaultto false
  end

  newparam(:lock_timeout) do
    desc 'Seconds to wait for a busy package manager.'

    validate do |value|
      raise ArgumentError, "lock_timeout is a number of seconds, not #{value.inspect}" unless value.to_s =~ %r{\A\d+\z}
    end
    munge(&:to_i)
    defaultto 120
  end

  newproperty(:tags, parent: PuppetX::Picket::PlannedProperty) do
    desc 'Tags of this host, `{ key => value }`. Tags that it has besides stay.'

    validate do |value|
      raise ArgumentError, "tags is a hash such as { 'site' => 'ham' }, not #{value.inspect}" unless value.is_a?(Hash)
    end
    munge { |value| value.map { |key, text| [key.to_s, text.to_s] }.to_h }
    defaultto { {} }
  end

  newproperty(:version, parent: PuppetX::Picket::PlannedProperty) do
    desc 'Read-only: the version that is installed; with `ensure => latest` it becomes the one of the bundle.'

    validate { |value| resource.read_only!(:version, value) }
    defaultto :planned
  end

  newproperty(:organisation, parent: PuppetX::Picket::PlannedProperty) do
    desc 'Read-only: the organisation that the host belongs to.'

    validate { |value| resource.read_only!(:organisation, value) }
    defaultto :planned
  end

  newproperty(:profiles, parent: PuppetX::Picket::PlannedProperty) do
    desc "Read-only: the files in /etc/picket/managed.d that came with the onboarding package. Puppet's own is picket_profile's."

    validate { |value| resource.read_only!(:profiles, value) }
    defaultto :planned
  end

  newproperty(:definitions, parent: PuppetX::Picket::PlannedProperty) do
    desc 'Read-only: the definitions in use.'

    validate { |value| resource.read_only!(:definitions, value) }
    defaultto :planned
  end

  newproperty(:services, parent: PuppetX::Picket::PlannedProperty) do
    desc 'Read-only: `running`, or the services that are not, each with its state.'

    validate { |value| resource.read_only!(:services, value) }
    defaultto :planned
  end

  newproperty(:remainder, parent: PuppetX::Picket::PlannedProperty) do
    desc 'Read-only: what the installer plans beyond the fields above.'

    validate { |value| resource.read_only!(:remainder, value) }
    defaultto :planned
  end

  validate do
    next if self[:ensure] == :absent || self[:onboarding].nil? || self[:trust_key] || self[:allow_first_use]

    raise ArgumentError, "onboarding needs trust_key, the organisation's public key (picket-onboarding create prints it); " \
                         'with allow_first_use => true the first package that comes is believed'
  end

  autorequire(:file) { [self[:installer], self[:bundle], self[:onboarding]].compact }

  def absolute!(attribute, value)
    raise ArgumentError, "#{attribute} is an absolute path, not #{value.inspect}" unless Puppet::Util.absolute_path?(value.to_s, :posix)
  end

  def read_only!(attribute, value)
    raise ArgumentError, "#{attribute} is read-only: what the bundle and the onboarding package bring decides it" unless value == :planned
  end
end
