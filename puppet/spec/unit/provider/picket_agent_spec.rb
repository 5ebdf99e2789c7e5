# frozen_string_literal: true

require 'spec_helper'

describe Puppet::Type.type(:picket_agent).provider(:installer) do
  around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

  let(:installer) { File.join(@folder, 'picket-installer') }
  let(:bundle) { File.join(@folder, 'bundle.tar.gz').tap { |path| File.write(path, '') } }
  let(:attributes) { { bundle: bundle, tags: { 'site' => 'ham' } } }
  let(:absent) { { 'installed' => false, 'package_status' => 'absent', 'onboarded' => false, 'tags' => {}, 'units' => {} } }
  let(:present) do
    { 'installed' => true, 'package_status' => 'installed', 'onboarded' => true, 'org_name' => 'Acme', 'version' => '0.1.0',
      'tags' => { 'site' => 'ham' }, 'profiles' => [], 'definitions' => 'd1',
      'units' => { 'picketd.service' => { 'active' => true, 'enabled' => true, 'state' => 'active/running' } } }
  end
  let(:stopped) { present.merge('units' => { 'picketd.service' => { 'active' => false, 'enabled' => true, 'state' => 'inactive/dead' } }) }

  before { stub_const('PuppetX::Picket::INSTALLER', File.join(@folder, 'installed')) }

  def report(before, after: before, steps: [], changed: !steps.empty?)
    { 'changed' => changed, 'before' => before, 'after' => after, 'error' => nil, 'steps' => steps.map { |id, title| { 'id' => id, 'title' => title } } }
  end

  def refusal(code, message, fix = '')
    { 'changed' => false, 'before' => absent, 'after' => absent, 'steps' => [], 'error' => { 'code' => code, 'message' => message, 'fix' => fix } }
  end

  def apply(noop: false, **more)
    apply_resources(@folder, Puppet::Type.type(:picket_agent).new(name: 'picket', installer: installer, noop: noop, **attributes, **more))
  end

  it 'predicts ensure where there is no installer yet' do
    expect(apply(noop: true)).to include("current_value 'absent', should be 'present' (noop)")
  end

  it 'says what is missing where it is not only to predict' do
    expect(apply.join).to include("there is no #{installer}; set picket::installer_source")
  end

  it 'installs, with what the manifest says' do
    fake_program(installer, 'install.dry' => report(absent, steps: [['package.install', 'install']]), 'install' => report(absent, after: present, changed: true))
    expect(apply(accept: ['memory.total'], replace_org: true)).to include('created')
    expect(calls_of(installer).last).to eq("install --bundle #{bundle} --replace-org --tag site=ham --accept memory.total " \
                                           '--output json --non-interactive --lock-timeout 120')
  end

  it 'does nothing where the installer plans nothing' do
    fake_program(installer, 'install.dry' => report(present))
    expect(apply).to be_empty
    expect(calls_of(installer).length).to eq(1)
  end

  it 'predicts every field' do
    steps = [['services.start', 'start the services'], ['tags.write', 'write the tags']]
    fake_program(installer, 'install.dry' => report(stopped.merge('tags' => {}), steps: steps))
    expect(apply(noop: true)).to include("current_value 'absent', should be 'write the tags' (noop)",
                                         "current_value 'picketd.service inactive/dead', should be 'start the services' (noop)")
    expect(calls_of(installer).length).to eq(1)
  end

  it 'predicts what the installer predicts' do
    steps = [['services.start', 'start the services'], ['tags.write', 'write the tags']]
    fake_program(installer, 'install.dry' => report(stopped.merge('tags' => { 'site' => 'muc' }), after: present, steps: steps))
    expect(apply(noop: true)).to include("current_value 'site=muc', should be 'site=ham' (noop)",
                                         "current_value 'picketd.service inactive/dead', should be 'running' (noop)")
  end

  it 'mends several fields with one run' do
    steps = [['services.start', 'start the services'], ['tags.write', 'write the tags']]
    fake_program(installer, 'install.dry' => report(stopped.merge('tags' => {}), steps: steps), 'install' => report(stopped, after: present, changed: true))
    expect(apply).to include("tags changed 'absent' to 'site=ham'", "services changed 'picketd.service inactive/dead' to 'running'")
    expect(calls_of(installer).length).to eq(2)
  end

  it 'does not miss a step that it does not know' do
    fake_program(installer, 'install.dry' => report(present, steps: [['moon.align', 'align the moon']]), 'install' => report(present, changed: true))
    expect(apply).to include("remainder changed 'incomplete' to 'complete'")
  end

  it 'has a broken package mended' do
    broken = absent.merge('package_status' => 'broken')
    fake_program(installer, 'install.dry' => report(broken, steps: [['package.install', 'install']]))
    expect(apply(noop: true)).to include("current_value 'broken', should be 'present' (noop)")
  end

  it 'uses the installed installer where no other is' do
    fake_program(PuppetX::Picket::INSTALLER, 'install.dry' => report(present))
    expect(apply).to be_empty
  end

  it 'with noop leaves out what is not on the host yet' do
    fake_program(installer, 'status' => report(present), 'install.dry' => report(present))
    expect(apply(noop: true, onboarding: File.join(@folder, 'coming.zip'), allow_first_use: true)).to be_empty
    expect(calls_of(installer).last).not_to include('coming.zip')
  end

  it 'tells a refusal once, in the words of the installer' do
    fake_program(installer, { 'install.dry' => refusal(10, 'distro.supported: Arch Linux', 'Use another.') }, 10)
    expect(apply.grep(%r{Arch})).to eq(['Could not evaluate: distro.supported: Arch Linux (exit code 10); fix: Use another.'])
  end

  it 'tells a failure once, and tries no second time for the next field' do
    steps = [['services.start', 'start the services'], ['tags.write', 'write the tags']]
    dry = report(stopped.merge('tags' => {}), steps: steps)
    fake_program(installer, 'install.dry' => dry, 'install' => refusal(21, 'the disk is full', 'Make room.'))
    File.write(installer, File.read(installer).sub('exit 0', '[ "$dry" ] || exit 21'))
    expect(apply.grep(%r{disk is full})).to eq(["change from 'absent' to 'write the tags' failed: the disk is full (exit code 21); fix: Make room."])
    expect(calls_of(installer).length).to eq(2)
  end

  it 'tells what a program that breaks says' do
    fake_program(installer, { 'install.dry' => 'Segmentation fault' }, 139)
    expect(apply.join).to include('picket-installer install ended with 139: Segmentation fault')
  end

  it 'says where a program cannot be executed' do
    File.write(installer, '')
    expect(apply.join).to include("#{installer} cannot be executed; is its file system mounted noexec?")
  end

  context 'when an installer is on the host, too' do
    before { fake_program(PuppetX::Picket::INSTALLER, 'install.dry' => report(present)) }

    it 'asks that one, without the bundle: any version is good' do
      fake_program(installer, 'install.dry' => refusal(12, 'the bundle holds 0.2.0'))
      expect(apply).to be_empty
      expect(calls_of(PuppetX::Picket::INSTALLER)).to eq(['install --tag site=ham --dry-run --output json --non-interactive --lock-timeout 120'])
    end

    it 'takes the bundle where that one cannot mend it' do
      fake_program(PuppetX::Picket::INSTALLER, { 'install.dry' => refusal(15, 'a file is gone') }, 15)
      fake_program(installer, 'install.dry' => report(present, steps: [['package.install', 'install']]), 'install' => report(present, changed: true))
      expect(apply).not_to be_empty
      expect(calls_of(installer).last).to start_with("install --bundle #{bundle} ")
    end

    it 'tells any other refusal' do
      fake_program(PuppetX::Picket::INSTALLER, { 'install.dry' => refusal(31, 'another organisation') }, 31)
      expect(apply.join).to include('another organisation (exit code 31)')
    end
  end

  context 'when the newest is wanted' do
    let(:attributes) { { ensure: :latest, bundle: bundle, tags: { 'site' => 'ham' }, accept: ['memory.total'] } }
    let(:newer) { present.merge('version' => '0.2.0') }
    let(:upgrade) { report(present, after: newer, steps: [['package.upgrade', 'upgrade'], ['services.restart', 'restart']]) }

    it 'upgrades, with the installer of the bundle' do
      fake_program(installer, 'install.dry' => report(present), 'upgrade.dry' => upgrade, 'upgrade' => report(present, after: newer, changed: true))
      expect(apply).to eq(["version changed '0.1.0' to '0.2.0'"])
      expect(calls_of(installer).last).to eq("upgrade --bundle #{bundle} --accept memory.total --output json --non-interactive --lock-timeout 120")
    end

    it 'predicts the version, and what else is not as it should be' do
      dry = report(present.merge('tags' => {}), after: present, steps: [['tags.write', 'write the tags']])
      fake_program(installer, 'install.dry' => dry, 'upgrade.dry' => upgrade)
      expect(apply(noop: true)).to include("current_value '0.1.0', should be '0.2.0' (noop)", "current_value 'absent', should be 'site=ham' (noop)")
    end

    it 'is content with the version of the bundle' do
      fake_program(installer, 'install.dry' => report(present), 'upgrade.dry' => report(present))
      expect(apply).to be_empty
    end

    it 'installs where nothing is, and asks for no upgrade' do
      fake_program(installer, 'install.dry' => report(absent, steps: [['package.install', 'install']]), 'install' => report(absent, after: present, changed: true))
      expect(apply).to include('created')
      expect(calls_of(installer).grep(%r{upgrade})).to be_empty
    end

    it 'with noop says nothing of a bundle that is not on the host yet' do
      fake_program(installer, 'status' => report(present), 'install.dry' => report(present))
      File.delete(bundle)
      expect(apply(noop: true)).to be_empty
    end

    it 'tells of a version that went back' do
      fake_program(installer, 'install.dry' => report(present), 'upgrade.dry' => upgrade, 'upgrade' => refusal(21, '0.2.0 does not protect', '0.1.0 is back.'))
      File.write(installer, File.read(installer).sub('exit 0', '[ "$dry" ] || exit 21'))
      expect(apply).to include("change from '0.1.0' to '0.2.0' failed: 0.2.0 does not protect (exit code 21); fix: 0.1.0 is back.")
    end
  end

  context 'when it is to go' do
    let(:attributes) { { ensure: :absent } }
    let(:leave) { report(present, steps: [['package.remove', 'remove']]) }

    it 'uninstalls, and keeps the state' do
      fake_program(installer, 'uninstall.dry' => leave, 'uninstall' => report(present, after: absent, changed: true))
      expect(apply).to include('removed')
      expect(calls_of(installer).map { |call| call.split(' --output').first }).to eq(['uninstall --keep-state --dry-run', 'uninstall --keep-state'])
    end

    it 'leaves nothing where that is wanted' do
      fake_program(installer, 'uninstall.dry' => leave, 'uninstall' => report(present, after: absent, changed: true))
      apply(purge: true)
      expect(calls_of(installer).last).to start_with('uninstall --purge')
    end

    it('is content where nothing is') { expect(apply).to be_empty }

    it 'is content where the installer finds nothing' do
      fake_program(installer, 'uninstall.dry' => report(absent))
      expect(apply).to be_empty
    end

    it 'says so where Picket is there without an installer' do
      stub_const('PuppetX::Picket::GATE', fake_program(File.join(@folder, 'picketd')))
      expect(apply.join).to include('Picket is on this host, but no picket-installer')
    end
  end
end
