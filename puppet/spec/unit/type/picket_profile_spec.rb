# frozen_string_literal: true

require 'spec_helper'

describe Puppet::Type.type(:picket_profile) do
  def profile(**attributes)
    described_class.new(name: 'puppet', **attributes)
  end

  it('has one name') { expect { described_class.new(name: 'web', settings: {}) }.to raise_error(Puppet::Error, %r{its name is 'puppet'}) }
  it('needs something') { expect { profile }.to raise_error(Puppet::Error, %r{either settings or source}) }
  it('needs no two things') { expect { profile(settings: { 'a' => 1 }, source: '/p.yaml') }.to raise_error(Puppet::Error, %r{not both}) }
  it('needs nothing to go') { expect(profile(ensure: :absent)[:ensure]).to eq(:absent) }
  it('wants a hash') { expect { profile(settings: 'a: 1') }.to raise_error(Puppet::Error, %r{settings is a hash}) }
  it('wants a whole path') { expect { profile(source: 'p.yaml') }.to raise_error(Puppet::Error, %r{absolute path}) }

  it 'comes after the agent that is to stay, and after its file' do
    { present: ['File[/p.yaml]', 'Picket_agent[picket]'], absent: ['File[/p.yaml]'] }.each do |state, expected|
      one = profile(source: '/p.yaml')
      others = [Puppet::Type.type(:picket_agent).new(name: 'picket', ensure: state), Puppet::Type.type(:file).new(name: '/p.yaml')]
      Puppet::Resource::Catalog.new.add_resource(*others, one)
      expect(one.autorequire.map { |edge| edge.source.ref }).to match_array(expected)
    end
  end
end
