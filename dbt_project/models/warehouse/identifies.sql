{{ relation_of('identify', 'identifies') }}
