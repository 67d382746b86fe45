{{ relation_of('group', 'groups') }}
