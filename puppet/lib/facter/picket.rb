# frozen_string_literal: true

require_relative '../puppet_x/picket/program'

Facter.add(:picket) do
  confine kernel: 'Linux'

  setcode do
    ask = lambda do |*command|
      begin
        PuppetX::Picket.run([*command, '--output', 'json'])
      rescue PuppetX::Picket::Failed => e
        Facter.debug("picket: #{e}")
        {}
      end
    end
    state = File.executable?(PuppetX::Picket::INSTALLER) ? ask.call(PuppetX::Picket::INSTALLER, 'status')['after'] || {} : {}
    fact = { 'installed' => state['installed'] == true }
    next fact unless fact['installed']

    health = ask.call(PuppetX::Picket::AGENT, 'health')['data'] || {}
    fact.merge(
      'version' => state['version'],
      'onboarded' => state['onboarded'],
      'organisation' => { 'id' => state['org_id'], 'name' => state['org_name'] },
      'tags' => state['tags'],
      'services' => (state['units'] || {}).map { |unit, status| [unit, status['active']] }.to_h,
      'interrupted_run' => !state['interrupted_run'].nil?,
      'definitions' => { 'version' => state['definitions'], 'updated' => health['definitions_updated'], 'status' => health['definitions_status'] },
      'healthy' => health['healthy'] == true,
      'health_issues' => health['health_issues'] || [],
      'protecting' => health['real_time_protection_active'] == true,
      'enforcement_level' => health['enforcement_level'],
      'machine_id' => health['machine_id'],
      'profile' => { 'status' => health['profile_status'], 'generation' => health['profile_generation'], 'files' => health['profile_sources'] || [] }
    )
  end
end
