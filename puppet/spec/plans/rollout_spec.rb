# frozen_string_literal: true

require 'spec_helper'
require 'puppet_pal'

# What Bolt, which is in no distribution, brings to a plan: hosts, results, and functions. `broken` says at which step a
# host fails, { name => [step, reason] }; `done` is what was asked for, `said` what was printed.
class PlayedBolt
  FUNCTIONS = { 'get_targets' => :hosts, 'apply_prep' => :prepare, 'run_task' => :task, 'fail_plan' => :stop, 'out::message' => :say }.freeze
  TYPES = { 'Host' => 'name => String', 'Failure' => 'target => Played::Host, error => Error', 'Results' => 'error_set => Array' }.freeze

  attr_reader :done, :said

  def initialize(folder, broken)
    @broken = broken
    @done = []
    @said = []
    types = FileUtils.mkdir_p(File.join(folder, 'played', 'types')).first
    TYPES.each { |name, has| File.write(File.join(types, "#{name.downcase}.pp"), "type Played::#{name} = Object[{attributes => {#{has}}}]") }
    FUNCTIONS.each do |name, method|
      path = File.join(folder, name[/(.*)::/, 1] || 'played', 'lib', 'puppet', 'functions', "#{name}.rb".sub('::', '/'))
      FileUtils.mkdir_p(File.dirname(path))
      File.write(path, <<~RUBY)
        Puppet::Functions.create_function(:'#{name}') do
          dispatch(:play) { repeated_param 'Any', :given }
          def play(*given)
            Puppet.lookup(:played_bolt).#{method}(*given)
          end
        end
      RUBY
    end
    File.symlink(MODULE_ROOT, File.join(folder, 'picket'))
  end

  # As Bolt's function run_plan does: what the plan returns is thrown.
  def run(compiler, plan, parameters)
    @compiler = compiler
    compiler.evaluate_string('type TargetSpec = Array[String]')
    Puppet.override(played_bolt: self, apply_executor: self) do
      closure = Puppet.lookup(:loaders).private_environment_loader.load(:plan, plan).class.dispatcher.dispatchers[0]
      catch(:return) { closure.call_by_name(parameters, true) && nil }&.value
    end
  end

  def hosts(names)
    names.map { |name| object('Played::Host', name) }
  end

  def prepare(hosts, _options)
    results('prepare', hosts)
  end

  def apply(arguments, _body, _scope)
    results(arguments[1]['_noop'] ? 'apply with noop' : 'apply', arguments[0])
  end

  def task(name, hosts, _options)
    results(name, hosts)
  end

  def say(text)
    @said << text
  end

  def stop(message, kind, details)
    raise Puppet::Error, "#{kind}: #{message} #{details}"
  end

  private

  def object(type, *arguments)
    @compiler.create(type, *arguments)
  end

  def results(step, hosts)
    @done << "#{step}: #{hosts.map(&:name).join(' ')}"
    failed = hosts.select { |host| @broken.dig(host.name, 0) == step }
    object('Played::Results', failed.map { |host| object('Played::Failure', host, object('Error', @broken[host.name][1])) })
  end
end

describe 'plan picket::rollout' do
  around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

  let(:broken) { {} }
  let(:bolt) { PlayedBolt.new(@folder, broken) }

  # Its result, or the message that it stopped with.
  def rollout(**parameters)
    played = bolt
    Puppet[:tasks] = true
    Puppet::Pal.in_tmp_environment('bolt', modulepath: [@folder], facts: {}) do |pal|
      pal.with_script_compiler { |compiler| played.run(compiler, 'picket::rollout', parameters.transform_keys(&:to_s)) }
    end
  rescue Puppet::Error => e
    e.message
  end

  it 'goes on in growing batches, and proves each' do
    expect(rollout(targets: %w[a b c d e])).to eq('batches' => [%w[a], %w[b c d], %w[e]])
    steps = ['prepare', 'apply', 'picket::verify']
    expect(bolt.done).to eq(['a', 'b c d', 'e'].flat_map { |hosts| steps.map { |step| "#{step}: #{hosts}" } })
    expect(bolt.said).to eq(['Batch 1 of 3: a', 'Batch 2 of 3: b, c, d', 'Batch 3 of 3: e'])
  end

  it 'proves nothing where it only predicts' do
    rollout(targets: %w[a b], noop: true)
    expect(bolt.done).to eq(['prepare: a', 'apply with noop: a', 'prepare: b', 'apply with noop: b'])
  end

  ['prepare', 'apply', 'picket::verify'].each do |step|
    context "where step #{step} fails on a host" do
      let(:broken) { { 'b' => [step, 'the disk is full'] } }

      it 'stops at its batch, and says how many hosts were not touched' do
        expect(rollout(targets: %w[a b c d e f], factor: 2)).to include(
          'picket/rollout-stopped: Stopped at batch 2 of 3; 3 hosts were not touched. b: the disk is full'
        )
        expect(bolt.done.last).to eq('picket::verify: b c')
      end
    end
  end
end
