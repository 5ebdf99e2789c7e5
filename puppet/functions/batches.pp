# @summary Cuts a list into growing batches: the canaries first, then each batch so many times the one before it
#
# @param list
#   What is cut, in this order.
# @param first
#   Size of the first batch.
# @param factor
#   How many times larger each next batch is. 1: all are of the same size.
# @return [Array[Array]]
#   The batches; none is empty.
#
# @example One canary, then three, then nine …
#   picket::batches($hosts, 1, 3)
function picket::batches(Array $list, Integer[1] $first, Integer[1] $factor) >> Array[Array] {
  if $list.empty {
    []
  } else {
    [$list[0, $first]] + picket::batches($list[$first, $list.length].lest || {[] }, $first * $factor, $factor)
  }
}
