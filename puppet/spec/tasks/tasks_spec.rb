# frozen_string_literal: true

require 'spec_helper'
require 'open3'
require 'puppet/module'
require 'puppet/module/task'

# As Bolt reads and starts them: parameters are checked by their metadata, and come as PT_… in the environment.
describe 'tasks' do
  tasks = Puppet::Module::Task.tasks_in_module(Puppet::Module.new('picket', MODULE_ROOT, nil))

  it('are those that are documented') { expect(tasks.map(&:name)).to match_array(['picket::scan', 'picket::verify']) }

  tasks.each do |task|
    context task.name do
      it('has metadata that Puppet accepts') { expect(task.validate).to be_truthy }

      it 'has parameters of types that there are, and defaults that fit' do
        task.metadata['parameters'].each_value do |parameter|
          type = Puppet::Pops::Types::TypeParser.singleton.parse(parameter['type'])
          expect(type.instance?(parameter['default'])).to be(true)
          expect(parameter['description']).to match(%r{\w})
        end
      end

      it 'says in the form of an error that Picket is not installed', if: !File.exist?('/usr/bin/picket') do
        output, status = Open3.capture2({ 'PT_kind' => 'quick', 'PT__task' => task.name }, task.files.first['path'])
        expect(JSON.parse(output)['_error']).to include('kind' => 'picket/not-installed', 'msg' => 'Picket is not installed on this host')
        expect(status.exitstatus).to eq(20)
      end
    end
  end
end
