# frozen_string_literal: true

require_relative '../../../puppet_x/picket/program'

Puppet::Type.type(:picket_agent).provide(:installer) do
  desc 'Asks picket-installer for its plan, and lets it carry that out.'

  confine kernel: 'Linux'

  # Steps of the installer's plan that change the field.
  steps = {
    version: ['package.install', 'package.upgrade', 'package.rollback'],
    organisation: ['identity.write'],
    profiles: ['profiles.write'],
    tags: ['tags.write'],
    definitions: ['definitions.install'],
    services: ['services.enable', 'services.start']
  }.freeze
  define_method(:field_steps) { steps }

  def self.instances
    return [] unless File.executable?(PuppetX::Picket::INSTALLER)

    state = PuppetX::Picket.run([PuppetX::Picket::INSTALLER, 'status', '--output', 'json'])['before']
    state['installed'] ? [new(name: 'picket', ensure: :present)] : []
  end

  def presence
    return planned_steps.empty? ? :absent : :present if removing?
    return :present if state['installed']

    state['package_status'] == 'broken' ? :broken : :absent
  end

  def current(field)
    value_of(field, state) || :absent
  end

  def planned?(field)
    return false if removing? || @failed
    return !planned_steps.empty? && field_steps.keys.none? { |other| planned?(other) } if field == :remainder

    planned_steps.any? { |step| field_steps[field].include?(step['id']) }
  end

  # What the field will be, as the installer predicts it; where it shows no difference, what it is going to do.
  def planned(field)
    before, after = report.values_at('before', 'after').map { |state| value_of(field, state) }
    return after if after && after != before && field != :remainder

    planned_steps.select { |step| field == :remainder || field_steps[field].include?(step['id']) }
                 .map { |step| step['title'] }.join(', ')
  end

  # One run of the installer brings every field in order; the other fields' setters find it done.
  def apply
    return if @state

    @state = installer_run('install', *install_options)['after']
  rescue StandardError
    @failed = true
    raise
  end

  steps.keys.push(:remainder).each { |field| define_method("#{field}=") { |_value| apply } }

  def destroy
    @state = installer_run('uninstall', *uninstall_options)['after']
  end

  private

  def state
    @state || report['before'] || {}
  end

  def value_of(field, state)
    value = case field
            when :organisation then state['org_name']
            when :services then services(state['units'] || {})
            when :remainder then planned_steps.empty? || @state ? 'complete' : 'incomplete'
            else state[field.to_s]
            end
    value.nil? || value.empty? ? nil : value
  end

  def services(units)
    troubled = units.reject { |_unit, status| status['active'] && status['enabled'] }
    return 'running' if troubled.empty? && !units.empty?

    troubled.map { |unit, status| "#{unit} #{status['state']}#{', disabled' unless status['enabled']}" }.join('; ')
  end

  def planned_steps
    report['changed'] ? report['steps'] : []
  end

  def removing?
    resource[:ensure] == :absent
  end

  # The host as it is, and what the installer would do with it.
  def report
    @report ||= if installer.nil?
                  without_installer
                elsif removing?
                  installer_run('uninstall', *uninstall_options, '--dry-run')
                elsif unpredictable?
                  {}
                else
                  installer_run('install', *install_options, '--dry-run')
                end
  end

  def without_installer
    return {} unless File.exist?(PuppetX::Picket::GATE) && !resource.noop?

    raise Puppet::Error, "Picket is on this host, but no picket-installer: neither #{resource[:installer] || 'by parameter installer'} " \
                         "nor #{PuppetX::Picket::INSTALLER}; set picket::installer_source"
  end

  # With noop the files may not be on the host yet; then only an installed Picket can be asked for its plan.
  def unpredictable?
    resource.noop? && !files.values.all? { |path| File.exist?(path) } && !installer_run('status')['before']['installed']
  end

  def installer
    [resource[:installer], PuppetX::Picket::INSTALLER].compact.find { |path| File.file?(path) }
  end

  def installer_run(verb, *options)
    unless installer
      raise PuppetX::Picket::Failed.new("picket-installer #{verb}", nil,
                                        "there is no #{resource[:installer] || PuppetX::Picket::INSTALLER}; set picket::installer_source")
    end

    PuppetX::Picket.run([installer, verb, *options, '--output', 'json', '--non-interactive',
                         '--lock-timeout', resource[:lock_timeout].to_s])
  end

  def install_options
    options = files.select { |_option, path| !resource.noop? || File.exist?(path) }.to_a.flatten
    options += ['--trust-key', resource[:trust_key]] if resource[:trust_key]
    options << '--replace-org' if resource[:replace_org]
    options + pairs('--tag', resource.property(:tags).given.map { |key, value| "#{key}=#{value}" }) + pairs('--accept', resource[:accept])
  end

  def files
    { '--bundle' => resource[:bundle], '--onboarding' => resource[:onboarding] }.compact
  end

  def uninstall_options
    [resource[:purge] ? '--purge' : '--keep-state']
  end

  def pairs(option, values)
    values.map { |value| [option, value] }.flatten
  end
end
