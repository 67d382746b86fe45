{{ staged_copies('screen') }}
