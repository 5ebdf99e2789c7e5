# frozen_string_literal: true

require 'spec_helper'

describe Puppet::Type.type(:picket_profile).provider(:picket) do
  around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

  let(:picket) { PuppetX::Picket::AGENT }
  let(:file) { PuppetX::Picket::PROFILE }
  let(:settings) { { 'logging' => { 'level' => 'debug' } } }
  let(:in_file) { JSON.parse(File.read(file)) }

  before do
    stub_const('PuppetX::Picket::AGENT', File.join(@folder, 'picket'))
    stub_const('PuppetX::Picket::PROFILE', File.join(@folder, 'managed.d/50-puppet.json'))
  end

  # picket with these answers: the first words of its command line are all "profile".
  def with_picket(rendered: settings, differences: [], problems: [], code: 0)
    FileUtils.mkdir_p(File.dirname(file))
    fake_program(picket, { 'render' => { 'data' => rendered.key?('message') ? rendered : { 'document' => rendered } },
                           'diff' => { 'data' => { 'differences' => differences } }, 'show' => { 'data' => { 'problems' => problems } } }, code)
    File.write(picket, File.read(picket).sub('cat "', 'shift; cat "'))
  end

  def apply(noop: false, **attributes)
    attributes = { settings: settings } if attributes.empty?
    apply_resources(@folder, Puppet::Type.type(:picket_profile).new(name: 'puppet', noop: noop, **attributes))
  end

  it 'predicts ensure where Picket is not installed yet' do
    expect(apply(noop: true, settings: settings)).to include("current_value 'absent', should be 'present' (noop)")
  end

  it('says so where it is not only to predict') { expect(apply.join).to include('Picket is not installed') }

  it 'writes what picket renders' do
    with_picket(rendered: { 'logging' => { 'level' => 'info' } })
    expect(apply).to include('created')
    expect(in_file).to eq('logging' => { 'level' => 'info' })
    expect(JSON.parse(File.read("#{picket}.input"))).to eq(settings)
    expect(File.stat(file).mode & 0o7777).to eq(0o644)
    expect(Dir.children(File.dirname(file))).to eq(['50-puppet.json'])
  end

  it 'leaves alone what says the same, however it is spaced' do
    with_picket
    File.write(file, settings.to_json)
    expect(apply).to be_empty
    expect(File.read(file)).to eq(settings.to_json)
  end

  it 'names the keys that change' do
    with_picket
    File.write(file, { 'logging' => { 'level' => 'info' }, 'engine' => { 'workers' => 2 } }.to_json)
    expect(apply).to include('settings changed: logging.level "info" to "debug", engine.workers 2 to unset')
    expect(in_file).to eq(settings)
  end

  it 'replaces what is not JSON' do
    with_picket
    File.write(file, '{')
    apply
    expect(in_file).to eq(settings)
  end

  it 'follows no link that lies in its way' do
    with_picket
    File.write(File.join(@folder, 'elsewhere'), 'x')
    File.symlink(File.join(@folder, 'elsewhere'), "#{File.dirname(file)}/.50-puppet.json.tmp")
    apply
    expect(File.read(File.join(@folder, 'elsewhere'))).to eq('x')
    expect(in_file).to eq(settings)
  end

  it 'lets picket read a file where one is given' do
    with_picket
    apply(source: '/srv/web.yaml')
    expect(calls_of(picket).first).to eq('profile render /srv/web.yaml --output json')
    expect(in_file).to eq(settings)
  end

  [true, false].each do |noop|
    it "tells a fault once, in picket's words, with noop #{noop}" do
      with_picket(rendered: { 'message' => '/dev/stdin:1:24: logging.level: must be text, not 3', 'fix' => 'mend the file' }, code: 41)
      expect(apply(noop: noop, settings: settings)).to eq(['Could not evaluate: logging.level: must be text, not 3 (exit code 41); fix: mend the file'])
    end
  end

  it 'says what keeps the profile from coming into force' do
    with_picket(differences: [{}], problems: [{ 'file' => '/etc/picket/managed.d/60-x.json', 'line' => 3, 'message' => 'no such key' }])
    expect(apply.join).to include("the last good profile stays in force\n/etc/picket/managed.d/60-x.json:3: no such key")
  end

  it 'goes' do
    with_picket
    File.write(file, '{}')
    expect(apply(ensure: :absent)).to include('removed')
    expect(File.exist?(file)).to be(false)
    expect(apply(ensure: :absent)).to be_empty
  end
end
