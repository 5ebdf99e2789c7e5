# frozen_string_literal: true

Puppet::Type.newtype(:picket_profile) do
  @doc = <<~DOC
    @summary Puppet's part of the configuration: /etc/picket/managed.d/50-puppet.json.

    `picket profile render` checks it and makes the file's content; the daemon takes it into force without a restart.
    Keys and values: docs/profile.md. A managed key cannot be changed on the host.

    @example In the manifest or from Hiera
      picket_profile { 'puppet':
        settings => { 'realTimeProtection' => { 'openDeadlineMs' => 1500 } },
      }
    @example A file that is on the host, YAML or JSON
      picket_profile { 'puppet':
        source => '/srv/profiles/web-servers.yaml',
      }
  DOC

  ensurable do
    desc 'Whether the file is there.'

    defaultvalues
    defaultto :present
  end

  newparam(:name, namevar: true) do
    desc 'Always `puppet`: the host has one profile of Puppet.'

    validate do |value|
      raise ArgumentError, "the host has one profile of Puppet, so its name is 'puppet', not '#{value}'" unless value == 'puppet'
    end
  end

  newparam(:source) do
    desc 'Path of a profile on the host, YAML or JSON, instead of settings.'

    validate do |value|
      raise ArgumentError, "source is an absolute path, not #{value.inspect}" unless Puppet::Util.absolute_path?(value.to_s, :posix)
    end
  end

  newproperty(:settings) do
    desc 'The profile as a hash, with the keys of docs/profile.md.'

    validate do |value|
      raise ArgumentError, "settings is a hash such as { 'realTimeProtection' => { … } }, not #{value.inspect}" unless value.is_a?(Hash) || value == :source
    end
    defaultto { :source if @resource[:source] }

    # What the manifest says; `should` becomes what picket renders of it.
    def given
      @given ||= should
    end

    def retrieve
      given
      @should = [provider.wanted] if provider.wanted
      provider.settings
    end

    def insync?(is)
      provider.wanted.nil? || is == provider.wanted
    end

    def change_to_s(is, should)
      "settings changed: #{provider.differences(is, should)}"
    end

    def is_to_s(value)
      value.is_a?(Hash) ? value.to_json : value.to_s
    end
    alias_method :should_to_s, :is_to_s
  end

  validate do
    next if self[:ensure] != :present || provider.get(:ensure) == :present # what `puppet resource` found has neither

    given = [:settings, :source].select { |name| self[name] && self[name] != :source }
    raise ArgumentError, "picket_profile needs either settings or source#{', not both' if given.size > 1}" if given.size != 1
  end

  # On its way in the agent comes first; it takes the profile along when it goes.
  autorequire(:picket_agent) do
    catalog.resources.select { |other| other.type == :picket_agent && other[:ensure] != :absent }.map { |other| other[:name] }
  end
  autorequire(:file) { self[:source] }
end
