import AdminClient

await GatehouseCommand.run()
