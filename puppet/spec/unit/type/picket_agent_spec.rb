# frozen_string_literal: true

require 'spec_helper'

describe Puppet::Type.type(:picket_agent) do
  let(:key) { 'RWRUhkiIMUKKtdZdLnPM7DIfmaNvFNvLBQp3OP2/zfjh13v1Lb2rUcLA' }

  def agent(**attributes)
    described_class.new(name: 'picket', **attributes)
  end

  it('is present by default') { expect(agent[:ensure]).to eq(:present) }
  it('waits two minutes for the package manager by default') { expect(agent[:lock_timeout]).to eq(120) }
  it('takes a tag as text') { expect(agent(tags: { 'rack' => 7 }).property(:tags).given).to eq('rack' => '7') }

  it 'onboards with a key only, or where the first one is to be believed' do
    expect { agent(onboarding: '/a.zip') }.to raise_error(Puppet::Error, %r{onboarding needs trust_key})
    agent(onboarding: '/a.zip', trust_key: key)
    expect { agent(onboarding: '/a.zip', ensure: :latest) }.to raise_error(Puppet::Error, %r{onboarding needs trust_key})
    agent(onboarding: '/a.zip', allow_first_use: true)
    agent(onboarding: '/a.zip', ensure: :absent)
  end

  { installer: 'x', bundle: 'x', onboarding: 'x', lock_timeout: 'soon', tags: 'site=ham', version: '1', services: 'running' }.each do |name, value|
    it "says what is wrong with #{name} => #{value}" do
      expect { agent(trust_key: key, name => value) }.to raise_error(Puppet::Error, %r{#{name}})
    end
  end

  it 'comes after its files' do
    files = ['/a/installer', '/a/bundle', '/a/zip'].map { |path| Puppet::Type.type(:file).new(name: path) }
    one = agent(installer: '/a/installer', bundle: '/a/bundle', onboarding: '/a/zip', trust_key: key)
    Puppet::Resource::Catalog.new.add_resource(*files, one)
    expect(one.autorequire.map { |edge| edge.source.ref }).to match_array(files.map(&:ref))
  end
end
