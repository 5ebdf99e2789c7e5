# frozen_string_literal: true

require 'spec_helper'

describe 'picket::batches' do
  it { is_expected.to run.with_params([], 1, 3).and_return([]) }
  it { is_expected.to run.with_params([1], 1, 3).and_return([[1]]) }
  it { is_expected.to run.with_params((1..7).to_a, 1, 3).and_return([[1], [2, 3, 4], [5, 6, 7]]) }
  it { is_expected.to run.with_params((1..5).to_a, 2, 1).and_return([[1, 2], [3, 4], [5]]) }
  it { is_expected.to run.with_params([1], 0, 1).and_raise_error(ArgumentError) }
end
