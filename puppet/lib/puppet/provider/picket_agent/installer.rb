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

  # What the plans say is done in their order and brings every field in order; the other fields' setters find it done.
  def apply
    return if @state

    raise no_installer unless installer

    plans.select { |plan| plan.report['changed'] }.each { |plan| @state = installer_run(plan.program, *plan.words)['after'] }
  rescue StandardError
    @failed = true
    raise
  end

  steps.keys.push(:remainder).each { |field| define_method("#{field}=") { |_value| apply } }

  def destroy
    raise no_installer unless installer

    @state = installer_run(installer, 'uninstall', *uninstall_options)['after']
  end

  private

  # A run of an installer, and what it said that it would do.
  Plan = Struct.new(:program, :words, :report)

  # What the installer on the host cannot mend without the bundle: a broken Picket, none, and no bundle.
  WANTS_BUNDLE = [15, 20, 28].freeze

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
    @report ||= plans.map(&:report).reduce { |first, last| joined(first, last) } || {}
  end

  def joined(first, last)
    more = last['after'].reject { |field, value| last['before'][field] == value }
    { 'changed' => first['changed'] || last['changed'], 'before' => first['before'], 'after' => first['after'].merge(more),
      'steps' => [first, last].select { |report| report['changed'] }.flat_map { |report| report['steps'] } }
  end

  def plans
    @plans ||= if installer.nil?
                 without_installer
               elsif removing?
                 [plan(installer, 'uninstall', *uninstall_options)]
               elsif unpredictable?
                 []
               else
                 with_upgrade(install_plan)
               end
  end

  # The installer on the host first: where Picket is whole it needs no bundle, whatever version that is of.
  def install_plan
    if File.file?(PuppetX::Picket::INSTALLER)
      begin
        return plan(PuppetX::Picket::INSTALLER, 'install', *install_options)
      rescue PuppetX::Picket::Failed => e
        raise unless WANTS_BUNDLE.include?(e.code)
      end
    end
    plan(installer, 'install', *bundle, *install_options)
  end

  # The bundle's own installer knows best what comes after the version that is there.
  def with_upgrade(install)
    wanted = resource[:ensure] == :latest && install.report['before']['installed'] && (resource[:bundle].nil? || bundle.any?)
    wanted ? [install, plan(installer, 'upgrade', *bundle, *accepted)] : [install]
  end

  def plan(program, *words)
    Plan.new(program, words, installer_run(program, *words, '--dry-run'))
  end

  def without_installer
    return [] unless File.exist?(PuppetX::Picket::GATE) && !resource.noop?

    raise Puppet::Error, "Picket is on this host, but no picket-installer: neither #{resource[:installer] || 'by parameter installer'} " \
                         "nor #{PuppetX::Picket::INSTALLER}; set picket::installer_source"
  end

  # With noop the files may not be on the host yet; then only an installed Picket can be asked for its plan.
  def unpredictable?
    resource.noop? && ![resource[:bundle], resource[:onboarding]].compact.all? { |path| File.exist?(path) } &&
      !installer_run(installer, 'status')['before']['installed']
  end

  def installer
    [resource[:installer], PuppetX::Picket::INSTALLER].compact.find { |path| File.file?(path) }
  end

  def no_installer
    PuppetX::Picket::Failed.new('picket-installer', nil, "there is no #{resource[:installer] || PuppetX::Picket::INSTALLER}; set picket::installer_source")
  end

  def installer_run(program, verb, *options)
    PuppetX::Picket.run([program, verb, *options, '--output', 'json', '--non-interactive',
                         '--lock-timeout', resource[:lock_timeout].to_s])
  end

  def bundle
    file('--bundle', resource[:bundle])
  end

  def install_options
    options = file('--onboarding', resource[:onboarding])
    options += ['--trust-key', resource[:trust_key]] if resource[:trust_key]
    options << '--replace-org' if resource[:replace_org]
    options + pairs('--tag', resource.property(:tags).given.map { |key, value| "#{key}=#{value}" }) + accepted
  end

  def accepted
    pairs('--accept', resource[:accept])
  end

  def file(option, path)
    path && (!resource.noop? || File.exist?(path)) ? [option, path] : []
  end

  def uninstall_options
    [resource[:purge] ? '--purge' : '--keep-state']
  end

  def pairs(option, values)
    values.map { |value| [option, value] }.flatten
  end
end
