# frozen_string_literal: true

require 'spec_helper'

KEY = 'RWRUhkiIMUKKtdZdLnPM7DIfmaNvFNvLBQp3OP2/zfjh13v1Lb2rUcLA'

describe 'picket' do
  let(:staging) { '/var/cache/picket-puppet' }
  let(:sources) do
    { 'installer_source' => 'puppet:///modules/files/picket-installer', 'bundle_source' => '/srv/bundle.tar.gz',
      'onboarding_source' => 'puppet:///modules/files/acme.zip', 'trust_key' => KEY }
  end

  supported_systems.each do |system, facts|
    context "on #{system}" do
      let(:facts) { facts }
      let(:params) { sources }

      it { is_expected.to compile.with_all_deps }
      it { is_expected.to contain_class('picket::install').that_comes_before('Class[picket::config]') }
      it { is_expected.to contain_class('picket::config').that_comes_before('Class[picket::service]') }

      it 'brings the files, readable for root alone' do
        is_expected.to contain_file(staging).with(ensure: 'directory', mode: '0700', owner: 'root')
        is_expected.to contain_file("#{staging}/picket-installer").with(mode: '0700', source: sources['installer_source'], backup: false)
        is_expected.to contain_file("#{staging}/bundle.tar.gz").with(mode: '0600', source: '/srv/bundle.tar.gz')
        is_expected.to contain_file("#{staging}/onboarding.zip").with(mode: '0600', show_diff: false)
      end

      it 'hands them to picket_agent' do
        is_expected.to contain_picket_agent('picket').with(
          ensure: 'present', installer: "#{staging}/picket-installer", bundle: "#{staging}/bundle.tar.gz",
          onboarding: "#{staging}/onboarding.zip", trust_key: KEY
        )
      end

      it { is_expected.to contain_picket_profile('puppet').with_ensure('absent') }
      it { is_expected.to contain_service('picket.target').with(ensure: 'running', enable: true) }
    end
  end

  context 'with other parameters' do
    let(:facts) { supported_systems['debian-12'] }

    context 'when nothing is given' do
      it 'takes what is on the host' do
        is_expected.to compile.with_all_deps
        is_expected.to contain_picket_agent('picket').without_bundle.without_onboarding
        is_expected.not_to contain_file("#{staging}/picket-installer")
      end
    end

    context 'with a profile' do
      let(:params) { sources.merge('profile' => { 'logging' => { 'level' => 'debug' } }) }

      it { is_expected.to contain_picket_profile('puppet').with(ensure: 'present', settings: { 'logging' => { 'level' => 'debug' } }) }
    end

    ['yaml', 'json'].each do |ending|
      context "with a profile file in #{ending}" do
        let(:params) { sources.merge('profile_source' => "puppet:///modules/files/web.#{ending}") }

        it { is_expected.to contain_file("#{staging}/profile.#{ending}").that_comes_before('Picket_profile[puppet]') }
        it { is_expected.to contain_picket_profile('puppet').with_source("#{staging}/profile.#{ending}") }
      end
    end

    context 'with the onboarding package from Hiera' do
      let(:params) { { 'onboarding_content' => sensitive('UEsDBA=='), 'trust_key' => KEY } }

      it 'keeps it out of reports' do
        content = catalogue.resource('file', "#{staging}/onboarding.zip").sensitive_parameters
        expect(content).to eq([:content])
        is_expected.to contain_picket_agent('picket').with_onboarding("#{staging}/onboarding.zip")
      end
    end

    context 'with checksums' do
      let(:params) { sources.merge('installer_checksum' => 'a' * 64, 'bundle_checksum' => 'b' * 64) }

      it { is_expected.to contain_file("#{staging}/picket-installer").with_checksum_value('a' * 64) }
      it { is_expected.to contain_file("#{staging}/bundle.tar.gz").with_checksum_value('b' * 64) }
    end

    context 'when latest' do
      let(:params) { sources.merge('ensure' => 'latest') }

      it { is_expected.to contain_picket_agent('picket').with(ensure: 'latest', bundle: "#{staging}/bundle.tar.gz") }
      it { is_expected.to contain_service('picket.target') }
    end

    context 'without service_manage' do
      let(:params) { sources.merge('service_manage' => false) }

      it { is_expected.not_to contain_service('picket.target') }
    end

    context 'when absent' do
      let(:params) { { 'ensure' => 'absent' } }

      it { is_expected.to compile.with_all_deps }
      it { is_expected.not_to contain_picket_profile('puppet') }
      it { is_expected.to contain_picket_agent('picket').with_ensure('absent').that_comes_before("File[#{staging}]") }
      it { is_expected.to contain_file(staging).with(ensure: 'absent', force: true) }
      it { is_expected.not_to contain_service('picket.target') }
    end

    context 'when absent with all that it knew' do
      let(:params) { { 'ensure' => 'absent', 'purge' => true } }

      it { is_expected.to compile.with_all_deps }
      it { is_expected.to contain_picket_profile('puppet').with_ensure('absent').that_comes_before('Picket_agent[picket]') }
      it { is_expected.to contain_picket_agent('picket').with(ensure: 'absent', purge: true) }
    end

    {
      { 'profile' => { 'a' => 1 }, 'profile_source' => '/srv/p.yaml' } => %r{profile and profile_source exclude each other},
      { 'onboarding_content' => RSpec::Puppet::Sensitive.new('UEsDBA==') } => %r{onboarding_source and onboarding_content exclude each other},
      { 'trust_key' => 'secret' } => %r{trust_key},
      { 'ensure' => 'newest' } => %r{ensure},
      { 'ensure' => 'latest', 'bundle_source' => :undef } => %r{ensure => latest needs bundle_source},
      { 'tags' => { 'a=b' => 'c' } } => %r{tags},
      { 'accept' => ['Memory Total'] } => %r{accept},
      { 'bundle_checksum' => 'abc' } => %r{bundle_checksum},
      { 'tagz' => {} } => %r{no parameter named 'tagz'}
    }.each do |wrong, message|
      context "with #{wrong.keys.join(' and ')} wrong" do
        let(:params) { sources.merge(wrong) }

        it { is_expected.to compile.and_raise_error(message) }
      end
    end
  end
end
