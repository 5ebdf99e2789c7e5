# frozen_string_literal: true

require 'spec_helper'
require 'facter'

describe 'the fact picket' do
  subject(:fact) do
    Facter.clear
    load File.join(MODULE_ROOT, 'lib/facter/picket.rb')
    Facter.value(:picket)
  end

  around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

  let(:installer) { PuppetX::Picket::INSTALLER }
  let(:status) do
    { 'installed' => true, 'version' => '0.1.0', 'onboarded' => true, 'org_id' => 'id', 'org_name' => 'Acme', 'tags' => { 'site' => 'ham' },
      'definitions' => 'd1', 'units' => { 'picketd.service' => { 'active' => true } }, 'interrupted_run' => nil }
  end

  before do
    stub_const('PuppetX::Picket::INSTALLER', File.join(@folder, 'picket-installer'))
    stub_const('PuppetX::Picket::AGENT', File.join(@folder, 'picket'))
  end

  it('says where Picket is not') { expect(fact).to eq('installed' => false) }

  it 'has what the installer and the agent say' do
    fake_program(installer, 'status' => { 'after' => status })
    fake_program(PuppetX::Picket::AGENT, 'health' => { 'data' => { 'healthy' => true, 'health_issues' => [], 'real_time_protection_active' => true } })
    expect(fact).to include('installed' => true, 'version' => '0.1.0', 'organisation' => { 'id' => 'id', 'name' => 'Acme' },
                            'tags' => { 'site' => 'ham' }, 'services' => { 'picketd.service' => true }, 'healthy' => true, 'protecting' => true)
  end

  it 'is not healthy where the daemon does not answer' do
    fake_program(installer, 'status' => { 'after' => status })
    fake_program(PuppetX::Picket::AGENT, { 'health' => { 'data' => { 'message' => 'the daemon is not running' } } }, 4)
    expect(fact).to include('installed' => true, 'healthy' => false, 'protecting' => false)
  end
end
